//! Writes what a bench of the service needs into a folder: a policy of 32 models, its catalog, and
//! a chat body of 2 KiB.

use pointsman_benches::{
    policy::{artifact, catalog_toml},
    text::{Kind, Writer},
};
use std::{env, error::Error, fs, path::PathBuf};

const N_MODELS: usize = 32;
const N_BYTES: usize = 2048;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("name a folder")?);
    fs::write(folder.join("policy.safetensors"), artifact(N_MODELS)?.to_bytes()?)?;
    fs::write(folder.join("catalog.toml"), catalog_toml(N_MODELS))?;
    let prompt = Writer::new().write_many(Kind::Prose, N_BYTES, 1).remove(0);
    let body = serde_json::json!({"messages": [{"role": "user", "content": prompt}]});
    fs::write(folder.join("body.json"), body.to_string())?;
    Ok(())
}
