//! The card as JSON, for whoever is told about a policy: models by name, and every guarantee as a
//! sentence too. It is not how a file holds the card, and has keys that no file has.

use super::{Card, Pruning, foresight_wire};
use crate::objective::{Band, OperatingPoint};
use serde_json::{Value, json};

impl Card {
    /// What the card says, as one JSON object; null stands for what is not known.
    pub fn told(&self) -> Value {
        let Self {
            name,
            schema: _,
            models,
            mean_quality,
            operating_points,
            standing,
            pruning,
            foresight,
            provenance,
        } = self;
        let points: Vec<Value> = operating_points.iter().map(|one| point(one, models)).collect();
        let mut told = json!({
            "name": name,
            "models": models,
            "mean_quality": mean_quality,
            "operating_points": points,
            "standing": {"best_single": standing.best_single, "sentence": standing.sentence},
            "provenance": {
                "origin": provenance.origin,
                "data_sha256": provenance.data_digest,
                "n_requests": provenance.n_requests,
                "n_outcomes": provenance.n_outcomes,
                "seed": provenance.seed,
                "version": provenance.version,
                "settings": provenance.settings,
            },
        });
        if let Some(Pruning { n_terms, n_kept, loss, n_requests }) = pruning {
            let loss = band(loss);
            told["pruning"] = json!({
                "n_terms": n_terms, "n_kept": n_kept, "loss": loss, "n_requests": n_requests,
            });
        }
        if let Some(foresight) = foresight_wire::written(foresight, models) {
            told["foresight"] = json!(foresight);
        }
        told
    }
}

fn band(band: &Band) -> Value {
    json!({
        "value": band.value, "lower": band.lower, "upper": band.upper, "level": band.level.get(),
    })
}

fn point(point: &OperatingPoint, models: &[String]) -> Value {
    let OperatingPoint {
        name,
        per_dollar,
        favour,
        quality,
        cost_usd,
        cost_share,
        strong_share,
        guarantee,
    } = point;
    json!({
        "name": name,
        "quality_points_per_usd": per_dollar,
        "favour": favour.map(|favour| json!({
            "model": models.get(favour.model),
            "quality_points": favour.quality_points,
        })),
        "quality": band(quality),
        "cost_usd": band(cost_usd),
        "cost_share": cost_share.as_ref().map(band),
        "strong_share": strong_share.as_ref().map(|strong| json!({
            "model": models.get(strong.model),
            "share": band(&strong.share),
        })),
        "guarantee": guarantee.as_ref().map(|guarantee| json!({
            "max_quality_loss": guarantee.max_quality_loss,
            "against": models.get(guarantee.against),
            "confidence": guarantee.confidence.get(),
            "n_groups": guarantee.n_groups,
            "n_requests": guarantee.n_requests,
            "is_single": guarantee.is_single,
            "sentence": guarantee.sentence(models),
        })),
    })
}
