//! Measures how often intervals hold the truth and how wide they are, on logs drawn from tables.
//!
//! `coverage FIRST RUNS SLOW_RUNS N,N,... [TABLE.bin ...]` writes one line for each cell and method as
//! CSV on standard output; `coverage_tables.py` makes tables, `coverage_report.py` pages and plots.

use pointsman_benches::coverage::{
    study::{Size, run},
    tables::Table,
};
use std::{env, error::Error, io, io::Write, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next =
        || arguments.next().ok_or("usage: coverage FIRST RUNS SLOW_RUNS N,N,... [TABLE.bin]");
    let first_run = next()?.parse()?;
    let (n_runs, n_slow_runs) = (next()?.parse()?, next()?.parse()?);
    let lengths = next()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let size = Size { lengths, first_run, n_runs, n_slow_runs };
    let mut tables = vec![Table::simulated(4000), Table::rare(4000)];
    for path in arguments {
        tables.push(Table::read(Path::new(&path))?);
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "table,logger,policy,rival,outcome,n,method,runs,covered,above,width,asymptotic,\
         asymptotic_covered,shipped"
    )?;
    for table in &tables {
        run(table, &size, &mut out)?;
    }
    Ok(())
}
