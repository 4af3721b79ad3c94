//! How often the gate ships at the edge of a margin, where it may in one log of twenty.
//!
//! `gate-edge [LOGS] [ROWS,ROWS,...]` prints a line for each edge; 1,000 logs where not given, of which
//! 6.4 % are two standard errors above one in twenty.

use pointsman_benches::gate_edge::{EDGES, Support, shares};
use std::{
    env,
    error::Error,
    io::{self, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let n_logs = arguments.next().map_or(Ok(1000), |text| text.parse::<u32>())?;
    let lengths = arguments.next().unwrap_or_else(|| "300,1000,3000".to_owned());
    let lengths: Vec<u64> = lengths.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let mut out = io::stdout().lock();
    writeln!(out, "| at its edge | support | rows | ships | held |\n|---|---|---|---|---|")?;
    for edge in EDGES {
        for support in [Support::Stated, Support::Unstated] {
            for &n_rows in &lengths {
                let (shipped, held) = shares(edge, support, n_logs, n_rows)?;
                let (shipped, held) = (100.0 * shipped, 100.0 * held);
                writeln!(
                    out,
                    "| {edge:?} | {support:?} | {n_rows} | {shipped:.1} % | {held:.1} % |"
                )?;
            }
        }
    }
    Ok(())
}
