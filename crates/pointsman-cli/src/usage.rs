//! A command line that cannot be understood, as one sentence: what was found, where, and what to do.
//!
//! The parser words its refusals over several lines; here they read like every other one. Its
//! weakness: what the parser may come to refuse in a later version is told in its own words.

use crate::nearest::nearest;
use clap::{
    Arg, Command, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::{error::Error as _, ffi::OsString, process::ExitCode};

/// Says why `arguments` are not understood, or what they ask for: help, or the version.
pub(crate) fn refuse(
    error: &Error,
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> ExitCode {
    if let Some(sentence) = sentence(error, &meant(command, arguments)) {
        crate::screen::error(&sentence);
        return ExitCode::from(2);
    }
    // Nowhere is left to report that nobody reads the help.
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// The command that is meant.
struct Meant {
    /// With the commands that it stands in.
    name: String,
    /// The flags that it knows, without their dashes.
    flags: Vec<String>,
}

fn meant(root: &Command, arguments: impl IntoIterator<Item = OsString>) -> Meant {
    let mut name = root.get_name().to_owned();
    let mut command = root;
    for argument in arguments.into_iter().skip(1) {
        let argument = argument.to_string_lossy();
        if argument.starts_with('-') {
            continue;
        }
        let Some(next) = command.find_subcommand(&*argument) else { break };
        name.push(' ');
        name.push_str(next.get_name());
        command = next;
    }
    let everywhere = root.get_arguments().filter(|arg| arg.is_global_set());
    let flags = command.get_arguments().chain(everywhere).filter_map(Arg::get_long);
    Meant { name, flags: flags.map(str::to_owned).collect() }
}

/// The refusal; `None` for what is none.
fn sentence(error: &Error, meant: &Meant) -> Option<String> {
    let Meant { name: command, flags } = meant;
    let help = format!("see `{command} --help`");
    let arg = text(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = text(error, ContextKind::InvalidValue).unwrap_or_default();
    let said = match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayVersion => return None,
        ErrorKind::UnknownArgument if is_below_zero(&arg) => {
            format!("`{command}` takes no number below zero where one begins with `{arg}`; {help}")
        }
        ErrorKind::UnknownArgument => {
            let what = if arg.starts_with('-') { "has no flag" } else { "has no place for" };
            let near = guess(error, &arg).or_else(|| near_flag(&arg, flags));
            format!("`{command}` {what} `{arg}`; {}", near.unwrap_or(help))
        }
        ErrorKind::InvalidSubcommand => {
            let found = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!(
                "`{command}` has no command `{found}`; {}",
                guess(error, &found).unwrap_or(help)
            )
        }
        ErrorKind::InvalidValue => not_among(error, (arg.as_str(), value.as_str()), &help),
        ErrorKind::ValueValidation => not_valid(error, (arg.as_str(), value.as_str()), &help),
        ErrorKind::MissingRequiredArgument => {
            let lacking: Vec<String> =
                texts(error, ContextKind::InvalidArg).iter().map(|one| alternatives(one)).collect();
            let them = if lacking.len() == 1 { "it" } else { "them" };
            format!("`{command}` needs {}; add {them}, or {help}", lacking.join(" and "))
        }
        ErrorKind::MissingSubcommand => {
            let known = texts(error, ContextKind::ValidSubcommand).join(", ");
            format!("`{command}` needs a command; add one of {known}")
        }
        ErrorKind::ArgumentConflict => conflict(error, &arg),
        ErrorKind::NoEquals => format!("`{arg}` needs an equals sign before its value; add it"),
        ErrorKind::TooManyValues => {
            format!("`{value}` is a value too many for `{arg}`; leave it out")
        }
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            let least = number(error, ContextKind::MinValues);
            let exactly = number(error, ContextKind::ExpectedNumValues);
            let found = number(error, ContextKind::ActualNumValues).unwrap_or_default();
            let wanted = least.map(|n| format!("at least {n}"));
            let wanted = wanted.or(exactly.map(|n| n.to_string())).unwrap_or_default();
            let values = if found == 1 { "value" } else { "values" };
            format!("`{arg}` has {found} {values} and needs {wanted}; {help}")
        }
        ErrorKind::InvalidUtf8 => format!("an argument is not UTF-8 text; {help}"),
        ErrorKind::Io | ErrorKind::Format => format!("cannot say more: {}", own_words(error)),
        _ => format!("{}; {help}", own_words(error)),
    };
    Some(said.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether the parser took a number for a flag; it keeps of `-0.1` no more than `-0`.
fn is_below_zero(arg: &str) -> bool {
    arg.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The first line of what the parser would say.
fn own_words(error: &Error) -> String {
    let all = error.render().to_string();
    let first = all.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

/// A value that whoever reads it refuses.
fn not_valid(error: &Error, (arg, value): (&str, &str), help: &str) -> String {
    let reason = error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(what) = no_number(&reason) {
        return format!("`{arg}`: `{value}` is {what}; {help}");
    }
    let found = if reason.contains(value) { String::new() } else { format!("`{value}`: ") };
    // A reason of our own says what to do.
    let advice = if reason.contains(';') { String::new() } else { format!("; {help}") };
    format!("`{arg}`: {found}{reason}{advice}")
}

/// What a value is where the standard library would not take it for a number.
fn no_number(reason: &str) -> Option<&'static str> {
    match reason {
        "invalid float literal" | "cannot parse float from empty string" => Some("no number"),
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            Some("no whole number from 0 on")
        }
        "number too large to fit in target type" => Some("too large a number"),
        _ => None,
    }
}

/// A value that is missing, or that is none of those that may stand there.
fn not_among(error: &Error, (arg, value): (&str, &str), help: &str) -> String {
    let known = texts(error, ContextKind::ValidValue).join(", ");
    match (value.is_empty(), known.is_empty()) {
        (true, true) => format!("`{arg}` has no value; add one, or {help}"),
        (true, false) => format!("`{arg}` has no value; add one of {known}"),
        (false, true) => format!("`{arg}` cannot be `{value}`; {help}"),
        (false, false) => {
            let advice = guess(error, value).unwrap_or_else(|| help.to_owned());
            format!("`{arg}`: `{value}` is none of {known}; {advice}")
        }
    }
}

fn conflict(error: &Error, arg: &str) -> String {
    let others = texts(error, ContextKind::PriorArg);
    if others.iter().any(|other| other == arg) {
        return format!("`{arg}` is given more than once; give it once");
    }
    let of_command = text(error, ContextKind::InvalidSubcommand);
    let arg = of_command.as_deref().unwrap_or(arg);
    let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
    let others = if others.is_empty() { "the others".to_owned() } else { others.join(" and ") };
    format!("`{arg}` cannot be used with {others}; leave one of them out")
}

/// What may have been meant by what was found, as a question or a hint. The parser's own guesses go
/// further than ours do: only those that are near count.
fn guess(error: &Error, found: &str) -> Option<String> {
    let kinds =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let known: Vec<String> = kinds.into_iter().flat_map(|kind| texts(error, kind)).collect();
    let meant = nearest(found, known.iter().map(String::as_str));
    meant.map(|meant| format!("did you mean `{meant}`?")).or_else(|| {
        let hints = texts(error, ContextKind::Suggested);
        // Of the hints only those that name another command's flag help.
        let hint = hints.into_iter().find(|hint| hint.contains("exists"));
        hint.map(|hint| hint.replace('\'', "`"))
    })
}

/// An argument that is missing, or the group of which one is.
fn alternatives(arg: &str) -> String {
    let inner = arg.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    let of_group = inner.filter(|inner| inner.starts_with('-'));
    let Some(flags) = of_group else { return format!("`{arg}`") };
    // A value may have a bar in its name; between flags one stands before dashes.
    format!("`{}`", flags.replace("|-", "` or `-"))
}

/// The flag that a mistyped one may have meant, as a question. The parser guesses none for short ones.
fn near_flag(arg: &str, flags: &[String]) -> Option<String> {
    let near = nearest(arg.strip_prefix("--")?, flags.iter().map(String::as_str))?;
    Some(format!("did you mean `--{near}`?"))
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    texts(error, kind).into_iter().next()
}

/// What the parser says of one kind of thing; nothing where it says nothing.
fn texts(error: &Error, kind: ContextKind) -> Vec<String> {
    let Some(value) = error.get(kind) else { return Vec::new() };
    if let ContextValue::String(text) = value {
        return vec![text.clone()];
    }
    if let ContextValue::Strings(texts) = value {
        return texts.clone();
    }
    if let ContextValue::StyledStrs(texts) = value {
        return texts.iter().map(ToString::to_string).collect();
    }
    Vec::new()
}

fn number(error: &Error, kind: ContextKind) -> Option<isize> {
    if let Some(ContextValue::Number(number)) = error.get(kind) { Some(*number) } else { None }
}

#[cfg(test)]
#[cfg(all(feature = "learn", feature = "serve"))]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    fn refusal(arguments: &str) -> Option<String> {
        let all = || std::iter::once("pointsman").chain(arguments.split_whitespace());
        let error = crate::Cli::try_parse_from(all()).unwrap_err();
        let meant = meant(&crate::Cli::command(), all().map(OsString::from));
        sentence(&error, &meant)
    }

    #[track_caller]
    fn check(arguments: &str, expected: &str) {
        assert_eq!(refusal(arguments).as_deref(), Some(expected), "{arguments}");
    }

    #[test]
    fn what_is_not_understood_is_one_sentence() {
        check("teleport", "`pointsman` has no command `teleport`; see `pointsman --help`");
        check("inspct", "`pointsman` has no command `inspct`; did you mean `inspect`?");
        check("catalog shwo", "`pointsman catalog` has no command `shwo`; did you mean `show`?");
        check(
            "route --polcy a",
            "`pointsman route` has no flag `--polcy`; did you mean `--policy`?",
        );
        check(
            "train --lgo a --out p",
            "`pointsman train` has no flag `--lgo`; did you mean `--log`?",
        );
        check(
            "inspect p --qiut",
            "`pointsman inspect` has no flag `--qiut`; did you mean `--quiet`?",
        );
        check(
            "--quiet inspect --frobnicate",
            "`pointsman inspect` has no flag `--frobnicate`; see `pointsman inspect --help`",
        );
        check(
            "train --table t --out p --prune -0.1",
            "`pointsman train` takes no number below zero where one begins with `-0`; see `pointsman train --help`",
        );
        check(
            "route --policy",
            "`--policy <FILE>` has no value; add one, or see `pointsman route --help`",
        );
        check(
            "route",
            "`pointsman route` needs `--policy <FILE>`; add it, or see `pointsman route --help`",
        );
        check(
            "route --policy a --draw half",
            "`--draw <DRAW>`: `half` is no number; see `pointsman route --help`",
        );
        check(
            "simulate --table t --out l --seed -1x",
            "`pointsman simulate` takes no number below zero where one begins with `-1`; see `pointsman simulate --help`",
        );
        check(
            "simulate --table t --out l --seed one",
            "`--seed <SEED>`: `one` is no whole number from 0 on; see `pointsman simulate --help`",
        );
        check(
            "route --policy a --policy b",
            "`--policy <FILE>` is given more than once; give it once",
        );
    }

    #[track_caller]
    fn check_parts(arguments: &str, parts: &[&str]) {
        let refusal = refusal(arguments).unwrap();
        for part in parts {
            assert!(refusal.contains(part), "{arguments}: {refusal} lacks {part}");
        }
        assert!(!refusal.contains('\n'), "{refusal}");
    }

    #[test]
    fn flags_that_exclude_or_need_each_other_are_named() {
        check_parts(
            "route --policy a --lambda 1 --min-quality 0.5",
            &["--lambda <POINTS>", "` cannot be used with `", "--min-quality <QUALITY>"],
        );
        check_parts("train --out p", &["`pointsman train` needs `--log <", "` or `--table <"]);
        check_parts(
            "gate --log l --policy p",
            &["`pointsman gate` needs `--against <logged|FILE>` and `--min-", "; add them, or see"],
        );
    }

    #[test]
    fn values_that_may_stand_there_are_named() {
        let refusal = refusal("simulate --table t --logger thompson --out l").unwrap();
        assert!(refusal.starts_with("`--logger <LOGGER>`: `thompson` is none of "), "{refusal}");
        assert!(refusal.contains("softmax, "), "{refusal}");
    }

    #[test]
    fn help_and_the_version_are_no_refusals() {
        for arguments in ["", "--help", "--version", "train --help", "help train", "catalog"] {
            assert_eq!(refusal(arguments), None, "{arguments}");
        }
    }
}
