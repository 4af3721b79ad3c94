//! A comparison as Markdown and as HTML, both from the same blocks.

use super::{Comparison, Measured, Pair, Section, Spread, Table};

/// A part of the page.
enum Block {
    Heading(String),
    Text(String),
    Command(String),
    List(Vec<String>),
    Table(Table),
}

const TITLE: &str = "Measured beside others";

/// The page in Markdown.
pub fn to_markdown(comparison: &Comparison) -> String {
    let mut out = format!("# {TITLE}\n");
    for block in blocks(comparison) {
        out.push('\n');
        match block {
            Block::Heading(text) => out += &format!("## {text}\n"),
            Block::Text(text) => out += &format!("{text}\n"),
            Block::Command(command) => out += &format!("`{command}`\n"),
            Block::List(items) => {
                for item in items {
                    out += &format!("* {item}\n");
                }
            }
            Block::Table(Table { header, rows }) => {
                out += &format!("{}|{}\n", markdown_row(&header), "---|".repeat(header.len()));
                for row in &rows {
                    out += &markdown_row(row);
                }
            }
        }
    }
    out
}

fn markdown_row(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// The page in HTML, whole in itself.
pub fn to_html(comparison: &Comparison) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{TITLE}</title>\n<style>{STYLE}</style>\n<main>\n<h1>{TITLE}</h1>\n"
    );
    // A table is named by the heading that it stands below.
    let mut heading = TITLE.to_owned();
    for block in blocks(comparison) {
        match block {
            Block::Heading(text) => {
                out += &format!("<h2>{}</h2>\n", escaped(&text));
                heading = text;
            }
            Block::Text(text) => out += &format!("<p>{}</p>\n", escaped(&text)),
            Block::Command(text) => out += &format!("<p><code>{}</code></p>\n", escaped(&text)),
            Block::List(items) => {
                out += "<ul>";
                for item in items {
                    out += &format!("<li>{}</li>", escaped(&item));
                }
                out += "</ul>\n";
            }
            Block::Table(Table { header, rows }) => {
                out += &format!(
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table><tr>",
                    escaped(&heading)
                );
                for cell in &header {
                    out += &format!("<th scope=\"col\">{}</th>", escaped(cell));
                }
                out += "</tr>";
                for row in rows {
                    out += "<tr>";
                    for cell in row {
                        out += &format!("<td>{}</td>", escaped(&cell));
                    }
                    out += "</tr>";
                }
                out += "</table></div>\n";
            }
        }
    }
    out += "</main>\n</html>\n";
    out
}

/// What holds of every such page, whatever was measured.
const NOT_SHOWN: [&str; 5] = [
    "Routers that read embeddings or ask a language model: they need a service or weights from a hub.",
    "Whether what Vowpal Wabbit and scikit-learn learn in that time is as good: quality is compared \
     with the reference routers alone.",
    "Whole calls over HTTP with their journal: docs/speed.md has them, beside a bare handler.",
    "What tuning a peer would give: each runs as its documents have it, ours as it comes.",
    "Other machines and loads: two runs of this page differ by more than the brackets where \
     other work was on the machine.",
];

const STYLE: &str = ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0}\
main{max-width:80rem;margin:auto;padding:1rem}.scroll{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.3rem .9rem .3rem 0;border-bottom:1px solid #8888}\
td:not(:first-child){white-space:nowrap}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn blocks(comparison: &Comparison) -> Vec<Block> {
    let Comparison { command, machine, sections } = comparison;
    let mut all = vec![
        Block::Command(command.clone()),
        Block::Text(
            "Theirs and ours on the same data and machine, in turns, in the same run. A ratio is how \
             many times as much the other side took in the same turn: above 1, ours took less. \
             Medians, and in brackets the least and the most."
                .to_owned(),
        ),
        Block::Table(Table {
            header: columns(&["machine", "is"]),
            rows: machine.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect(),
        }),
        Block::Heading("Where ours is behind".to_owned()),
        behind(sections),
    ];
    for section in sections {
        match section {
            Section::Measured(measured) => all.extend(of_measured(measured)),
            Section::Failed { title, why } => {
                all.push(Block::Heading(title.clone()));
                all.push(Block::Text(format!("Could not be run: {why}")));
            }
        }
    }
    all.push(Block::Heading("What this page does not show".to_owned()));
    all.push(Block::List(NOT_SHOWN.map(str::to_owned).into()));
    all
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Every pair whose ratio is below 1, or was in a turn, and what the scripts say of figures that are
/// not of runs.
fn behind(sections: &[Section]) -> Block {
    let mut n_measured = 0_usize;
    let mut items = Vec::new();
    for section in sections {
        let Section::Measured(Measured { title, pairs, behind, .. }) = section else { continue };
        for pair in pairs {
            let Some(ratio) = pair.ratio() else { continue };
            n_measured += 1;
            if ratio.median < 1.0 {
                items.push(format!(
                    "{title}, {}: ours takes {} times as much as {}",
                    pair.what,
                    number(1.0 / ratio.median),
                    pair.theirs.name
                ));
            } else if ratio.least < 1.0 {
                items.push(format!(
                    "{title}, {}: not in every turn ahead of {}; ratio {}",
                    pair.what,
                    pair.theirs.name,
                    of_spread(&ratio)
                ));
            }
        }
        items.extend(behind.iter().map(|sentence| format!("{title}, {sentence}")));
    }
    if items.is_empty() {
        let text = format!("In none of the {n_measured} pairs that were measured.");
        return Block::Text(text);
    }
    Block::List(items)
}

fn of_measured(measured: &Measured) -> Vec<Block> {
    let Measured { title, command, versions, pairs, notes, skipped, tables, behind: _ } = measured;
    let mut all = vec![Block::Heading(title.clone()), Block::Command(command.clone())];
    if !pairs.is_empty() {
        all.push(Block::Table(Table {
            header: columns(&["work", "unit", "theirs", "took", "ours", "took", "ratio"]),
            rows: pairs.iter().map(of_pair).collect(),
        }));
    }
    all.extend(tables.iter().cloned().map(Block::Table));
    let skipped = skipped.iter().map(|why| format!("Could not be run: {why}"));
    let items: Vec<String> = notes.iter().cloned().chain(skipped).collect();
    if !items.is_empty() {
        all.push(Block::List(items));
    }
    let versions: Vec<String> =
        versions.iter().map(|(package, version)| format!("{package} {version}")).collect();
    all.push(Block::Text(format!("Versions: {}.", versions.join(", "))));
    all
}

fn of_pair(pair: &Pair) -> Vec<String> {
    let shown =
        |found: Option<Spread>| found.as_ref().map_or_else(|| "not measured".to_owned(), of_spread);
    let Pair { what, unit, theirs, ours } = pair;
    vec![
        what.clone(),
        unit.clone(),
        theirs.name.clone(),
        shown(Spread::of(&theirs.runs)),
        ours.name.clone(),
        shown(Spread::of(&ours.runs)),
        shown(pair.ratio()),
    ]
}

/// The median, and in brackets the least and the most.
fn of_spread(Spread { least, median, most }: &Spread) -> String {
    format!("{} [{}, {}]", number(*median), number(*least), number(*most))
}

/// Three digits or so.
fn number(value: f64) -> String {
    let n_decimals = match value.abs() {
        size if 100.0 <= size => 0,
        size if 10.0 <= size => 1,
        size if 1.0 <= size => 2,
        size if 0.1 <= size => 3,
        _ => 4,
    };
    format!("{value:.n_decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Side;

    fn comparison() -> Comparison {
        let side = |name: &str, runs: &[f64]| Side { name: name.to_owned(), runs: runs.to_vec() };
        let pair = |what: &str, theirs: &[f64], ours: &[f64]| Pair {
            what: what.to_owned(),
            unit: "CPU s".to_owned(),
            theirs: side("peer", theirs),
            ours: side("pointsman", ours),
        };
        let measured = Measured {
            title: "Learning".to_owned(),
            command: "python3 x.py".to_owned(),
            versions: [("peer".to_owned(), "1.0".to_owned())].into(),
            pairs: vec![
                pair("fast", &[2.0, 4.0], &[1.0, 1.0]),
                pair("slow", &[1.0, 1.0], &[4.0, 4.0]),
                pair("even", &[1.0, 2.0, 3.0], &[2.0, 1.0, 2.0]),
            ],
            notes: vec!["a < b".to_owned()],
            skipped: vec!["another peer".to_owned()],
            tables: vec![Table {
                header: columns(&["table", "ours"]),
                rows: vec![vec!["a|b".to_owned(), "0.70".to_owned()]],
            }],
            behind: vec!["t: theirs reaches 0.72, ours 0.70".to_owned()],
        };
        let failed = Section::Failed { title: "Rest".to_owned(), why: "no network".to_owned() };
        Comparison {
            command: "cargo run -- compare".to_owned(),
            machine: vec![("processors".to_owned(), "2".to_owned())],
            sections: vec![Section::Measured(measured), failed],
        }
    }

    #[test]
    fn the_page_says_what_was_measured_and_what_was_not() {
        let text = to_markdown(&comparison());
        for expected in [
            "| fast | CPU s | peer | 3.00 [2.00, 4.00] | pointsman | 1.00 [1.00, 1.00] | 3.00 [2.00, 4.00] |",
            "* Learning, slow: ours takes 4.00 times as much as peer",
            "* Learning, even: not in every turn ahead of peer; ratio 1.50 [0.500, 2.00]",
            "`cargo run -- compare`",
            "* Learning, t: theirs reaches 0.72, ours 0.70",
            "| table | ours |\n|---|---|\n| a\\|b | 0.70 |",
            "* Could not be run: another peer",
            "## Rest\n\nCould not be run: no network",
            "Versions: peer 1.0.",
            "## What this page does not show\n\n* Routers that read embeddings",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("fast: ours takes"), "{text}");
    }

    #[test]
    fn both_pages_say_the_same() {
        let (text, page) = (to_markdown(&comparison()), to_html(&comparison()));
        for line in text.lines().filter(|line| line.starts_with("* ")) {
            assert!(page.contains(&escaped(&line[2..])), "{line}");
        }
        assert!(text.contains("`python3 x.py`") && page.contains("<code>python3 x.py</code>"));
        assert!(page.contains("aria-label=\"Learning\""), "{page}");
        assert!(page.contains("a &lt; b") && !page.contains("a < b"));
    }
}
