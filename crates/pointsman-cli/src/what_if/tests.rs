use super::*;
use clap::Parser;

const CATALOG: &str = r#"
    [[models]]
    id = "small"
    [[models.endpoints]]
    provider = "harbour"
    input_usd_per_million = 1.0
    output_usd_per_million = 2.0
    cached_input_usd_per_million = 0.5
    [[models]]
    id = "large"
    [[models.endpoints]]
    provider = "fjord"
    input_usd_per_million = 10.0
    output_usd_per_million = 20.0
"#;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    flags: WhatIfFlags,
}

fn parsed(flags: &str) -> Result<WhatIfFlags, String> {
    let words = std::iter::once("line").chain(flags.split_whitespace());
    Line::try_parse_from(words).map(|line| line.flags).map_err(|error| error.to_string())
}

fn changed(flags: &str) -> Result<(WhatIf, Catalog), String> {
    let catalog = Catalog::from_toml(CATALOG).unwrap();
    let (what_if, catalog) =
        parsed(flags)?.checked(Some(catalog)).map_err(|error| error.to_string())?;
    Ok((what_if, catalog.unwrap()))
}

/// Flags that are refused, by the sentence.
#[track_caller]
fn check(flags: &str, expected: &str) {
    let sentence = changed(flags).unwrap_err();
    assert!(sentence.contains(expected), "{flags}: {sentence}");
}

#[test]
fn what_cannot_be_is_refused() {
    check("--price small", "`small` is no price; write it as small=0.1/0.4");
    check("--price small=1", "is no price");
    check("--price small=one/2", "is no price");
    check("--price small=-1/2", "-1 is not in");
    check("--price other=1/2", "`other` is not in the catalog");
    check("--with new", "names no two models");
    check("--with :like=small", "names no two models");
    check("--with new:like=other", "`other` is not in the catalog");
    check("--with large:like=small", "`large` is in the catalog already");
    check("--latency harbour", "is no latency above 0");
    check("--latency harbour=0", "is no latency above 0");
    check("--latency nowhere=10", "no endpoint of the catalog is at `nowhere`");
    check("--per-second=-1", "is not zero or more");
    check("--traffic sql", "is no weight of zero or more");
    check("--traffic sql=-1", "is no weight of zero or more");
    check("--traffic sql=1 --traffic sql=2", "is given twice");
}

#[test]
fn a_catalog_is_needed_to_change_one() {
    for flags in ["--price small=1/2", "--with a:like=b", "--latency harbour=3"] {
        let error = parsed(flags).unwrap().checked(None).unwrap_err().to_string();
        assert!(error.contains("give one with --catalog"), "{flags}: {error}");
    }
    assert!(parsed("--without small").unwrap().checked(None).is_ok());
}

#[test]
fn catalogs_change_as_the_flags_say() {
    let flags = "--price small=3/4 --with new:like=large --price new=0.5/0.25 --latency fjord=900";
    let (what_if, catalog) = changed(flags).unwrap();
    let small = &catalog.find("small").unwrap().endpoints[0];
    assert_eq!(small.input.dollars_per_million(), 3.0);
    assert_eq!(small.output.dollars_per_million(), 4.0);
    assert_eq!(small.cached_input, None);
    assert_eq!(catalog.find("large").unwrap().endpoints[0].ttft_ms, Some(900.0));
    assert!(catalog.find("new").is_none(), "a twin is no newcomer of the catalog");
    let [(twin, like)] = &what_if.twins[..] else { panic!("{:?}", what_if.twins) };
    assert_eq!((twin.id.as_str(), like.as_str()), ("new", "large"));
    assert_eq!(twin.endpoints[0].output.dollars_per_million(), 0.25);
    assert!(what_if.notes().iter().any(|note| note.contains("counts at its worst")));
    assert!(what_if.notes().iter().any(|note| note.contains("--per-second")));
    // Without a speed nobody knows how long an answer takes, whatever its first token does.
    assert!(what_if.notes().iter().any(|note| note.contains("2 of 2 endpoints at `fjord`")));
}

#[test]
fn a_price_that_is_asked_about_holds_on_every_day() {
    let dated = CATALOG.replace(
        "cached_input_usd_per_million = 0.5",
        "since = \"2026-02-01\"\n[[models.endpoints.history]]\n\
         input_usd_per_million = 5.0\noutput_usd_per_million = 5.0",
    );
    let catalog = Catalog::from_toml(&dated).unwrap();
    let (what_if, changed) = parsed("--price small=3/4 --with new:like=small")
        .unwrap()
        .checked(Some(catalog.clone()))
        .unwrap();
    let on = Date::new(2026, 1, 1).unwrap();
    let of_small = |catalog: &Catalog| {
        catalog.as_of(on).find("small").unwrap().endpoints[0].input.dollars_per_million()
    };
    assert_eq!((of_small(&catalog), of_small(&changed.unwrap())), (5.0, 3.0));
    assert!(what_if.has_history(), "a twin has the history of the model that it is like");
    let (twin, _) = &what_if.as_of(on).twins[0];
    assert_eq!(twin.endpoints[0].input.dollars_per_million(), 5.0);
}

#[test]
fn unknown_models_and_tasks_are_named() {
    let (what_if, _) = changed("--without small --traffic sql=2").unwrap();
    assert!(what_if.check_known(["small", "large"].into_iter()).is_ok());
    let error = what_if.check_known(["large", "tiny"].into_iter()).unwrap_err().to_string();
    assert_eq!(error, "--without small: there is no such model; there are large, tiny");
    assert!(what_if.check_tasks([Some("sql"), None].into_iter()).is_ok());
    let error = what_if.check_tasks([Some("mail")].into_iter()).unwrap_err().to_string();
    assert!(error.ends_with("the tasks are mail"), "{error}");
}

/// Rows of a task that weighs twice as much come twice as often among those that are kept.
#[test]
fn traffic_is_drawn_in_proportion() {
    let (what_if, _) = changed("--traffic sql=2 --traffic mail=0").unwrap();
    let n_kept = |task: Option<&str>| {
        (0..4000).filter(|row| what_if.keeps(&format!("row {row}"), task)).count()
    };
    assert_eq!(n_kept(Some("sql")), 4000);
    assert_eq!(n_kept(Some("mail")), 0);
    let others = n_kept(None);
    assert!((1850..2150).contains(&others), "{others}");
}
