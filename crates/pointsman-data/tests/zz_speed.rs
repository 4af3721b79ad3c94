//! scratch
use pointsman_data::*;
use std::{path::PathBuf, time::Instant};
#[test]
fn speed() {
    let dir = PathBuf::from("/tmp/pd_speed");
    std::fs::create_dir_all(&dir).unwrap();
    let table = dir.join("t.ndjson");
    if !table.exists() {
        let mut s = String::new();
        for p in 0..100_000 {
            for m in 0..2 {
                let text: String =
                    (0..50).map(|w| format!("w{} ", (p * 31 + w * 7919) % 9973)).collect();
                s += &format!(
                    "{{\"prompt_id\":\"id-{p:08}\",\"prompt\":\"{}\",\"model\":\"model-{m:02}\",\"quality\":{},\"cost_usd\":0.00{m}1,\"output_tokens\":{p}}}\n",
                    &text[..text.len().min(300)],
                    (p + m) % 2
                );
            }
        }
        std::fs::write(&table, s).unwrap();
    }
    for name in ["log.parquet"] {
        let out = dir.join(name);
        if !out.exists() {
            let t = Instant::now();
            simulate(
                &[table.clone()],
                &SimulateOptions {
                    logger: LoggerKind::Uniform,
                    seed: 1,
                    part: SimulatedPart::All,
                    read: ReadOptions::default(),
                },
                &out,
            )
            .unwrap();
            eprintln!("simulate {name} {:?}", t.elapsed());
        }
        for _ in 0..3 {
            let t = Instant::now();
            let mut n = 0;
            let log =
                read_log(&[out.clone()], &LogOptions::default(), &mut |_, r| n += r.n_bytes())
                    .unwrap();
            eprintln!(
                "read {name} {:?} rows {} bytes {n} {} {}",
                t.elapsed(),
                log.rows.len(),
                std::fs::metadata(&out).unwrap().len(),
                log.digest
            );
        }
    }
}
