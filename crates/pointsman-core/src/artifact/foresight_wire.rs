//! What is foreseen of readers as the card writes it: models by name, left out where nothing is, so
//! that files from before it are written again to the same bytes.

use crate::escalation::{Foresight, Reader};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForesightWire {
    model: String,
    quality_points_per_usd: Vec<f64>,
    spread: Vec<f64>,
}

/// As the card writes it; `None` where nothing is foreseen.
pub(super) fn written(foresight: &[Foresight], models: &[String]) -> Option<Vec<ForesightWire>> {
    let wire = |foresight: &Foresight| ForesightWire {
        model: models.get(foresight.model()).cloned().unwrap_or_default(),
        quality_points_per_usd: foresight.per_dollar().to_vec(),
        spread: foresight.spreads().to_vec(),
    };
    (!foresight.is_empty()).then(|| foresight.iter().map(wire).collect())
}

/// Reads it, each model of the card at most once.
pub(super) fn read(
    wire: Option<Vec<ForesightWire>>,
    models: &[String],
) -> Result<Vec<Foresight>, String> {
    let mut all: Vec<Foresight> = Vec::new();
    if wire.as_ref().is_some_and(Vec::is_empty) {
        return Err("`foresight` is empty; it is left out where nothing is foreseen".to_owned());
    }
    for ForesightWire { model, quality_points_per_usd, spread } in wire.into_iter().flatten() {
        let place = models.iter().position(|known| *known == model);
        let place =
            place.ok_or_else(|| format!("`foresight` names `{model}`, which is no model"))?;
        if all.iter().any(|known| known.model() == place) {
            return Err(format!("`foresight` names `{model}` twice"));
        }
        let read = Foresight::new(place, quality_points_per_usd, spread);
        all.push(read.map_err(|error| format!("`foresight` of `{model}`: {error}"))?);
    }
    Ok(all)
}

/// Refuses what is foreseen of answers that nothing reads.
pub(super) fn check(
    foresight: &[Foresight],
    readers: &[Reader],
    models: &[String],
) -> Result<(), String> {
    let is_read =
        |foresight: &&Foresight| readers.iter().any(|reader| reader.model == foresight.model());
    match foresight.iter().find(|it| !is_read(it)) {
        Some(unread) => {
            let name = models.get(unread.model()).map_or("?", String::as_str);
            Err(format!("`foresight` names `{name}`, whose answers no reader reads"))
        }
        None => Ok(()),
    }
}
