//! Writes what a bench of the service needs into a folder: a policy of 32 models that reads the
//! answers of one of them, its catalog, a chat body of 2 KiB, and the same body with an answer of
//! 2 KiB, in which the decision that it belongs to is to be filled in.

use pointsman_benches::{
    policy::{artifact, catalog_toml, reader},
    text::{Kind, Writer},
};
use pointsman_core::escalation::Reader;
use std::{env, error::Error, fs, path::PathBuf};

const N_MODELS: usize = 32;
const N_BYTES: usize = 2048;

/// Stands where a decision's id has to be.
const PLACE_OF_ID: &str = "DECISION_ID";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("name a folder")?);
    let artifact = artifact(N_MODELS)?;
    let answers_of = artifact.card().models.first().cloned().ok_or("a policy without models")?;
    let next = vec![3, 5, 7];
    let scorer = reader(1 + next.len())?;
    let artifact = artifact.with_readers(&[Reader { model: 0, next, scorer }])?;
    fs::write(folder.join("policy.safetensors"), artifact.to_bytes()?)?;
    fs::write(folder.join("catalog.toml"), catalog_toml(N_MODELS))?;
    let mut texts = Writer::new().write_many(Kind::Prose, N_BYTES, 2);
    let (answer, prompt) = (texts.remove(1), texts.remove(0));
    let messages = serde_json::json!([{"role": "user", "content": prompt}]);
    let body = serde_json::json!({"messages": messages});
    fs::write(folder.join("body.json"), body.to_string())?;
    let with_answer = serde_json::json!({
        "messages": messages,
        "decision_id": PLACE_OF_ID,
        "served_model": answers_of,
        "answer": answer,
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 512, "completion_tokens": 512},
    });
    fs::write(folder.join("escalate.json"), with_answer.to_string())?;
    Ok(())
}
