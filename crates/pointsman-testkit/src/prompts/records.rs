//! Tables and logs: SQL, cleaning of data, reading of log files.

use super::{Grammar, Layout};

pub(super) const SQL: Grammar = Grammar {
    topics: &[
        "the newest ‹table› per region",
        "the sum of ‹column› by month",
        "how many ‹table› have no ‹table›",
        "a list of ‹table› with status 'open'",
        "the median ‹column› of ‹table›",
        "a running total over ‹table›",
        "cohort retention from ‹table›",
        "gaps and islands in ‹table›",
    ],
    openings: &[
        "Write a SQL query for ‹topic›.",
        "In our warehouse at ‹company› I need ‹topic›.",
        "SQL question: ‹topic›. The schema:",
        "Given these tables, how do I get ‹topic›?",
    ],
    layout: Layout::Lines,
    material: &[
        "‹table›(id, ‹column›, ‹column›, ‹column›)",
        "‹table›(id, customer_id, ‹column›, ‹column›)",
        "CREATE TABLE ‹table› (id bigint primary key, ‹column› text, ‹column› numeric);",
        "‹table›.‹column› references ‹table›.id",
        "about ‹2..90› million rows in ‹table›, partitioned by ‹column›",
        "‹column› is null for rows before ‹date›",
    ],
    n_material: (1, 4),
    plain_demands: &[
        "Only rows after ‹date›.",
        "Sort by ‹column›, largest first.",
        "Limit it to ‹5..50› rows.",
        "Standard SQL, please.",
        "Round amounts to two decimals.",
    ],
    hard_demands: &[
        "Use a recursive common table expression to walk the category tree up to depth ‹4..9›.",
        "Late rows may correct earlier ones: take the latest version as of each month end, unless it was revoked afterwards.",
        "It must use a window frame with RANGE and not ROWS; explain the tie behaviour.",
        "Avoid the fan-out from joining two one-to-many relations before aggregating.",
        "Count each customer once per rolling ‹7..90› day interval, without a self join.",
        "Make it sargable so that the partial index on ‹column› is used, and show the expected plan.",
        "Treat NULL in ‹column› as unknown: a row must not be excluded by NOT IN.",
    ],
    closings: &["The query only.", "Explain it briefly.", "It runs nightly for ‹department›."],
};

pub(super) const DATA_CLEANING: Grammar = Grammar {
    topics: &[
        "a list of phone numbers",
        "a customer export",
        "sensor readings from ‹city›",
        "survey answers",
        "a price list of ‹company›",
        "addresses from ‹2..5› countries",
        "merged patient identifiers",
    ],
    openings: &[
        "Clean up ‹topic›. Some rows:",
        "The following is ‹topic› with errors in it.",
        "How should I tidy ‹topic›? Sample:",
    ],
    layout: Layout::Lines,
    material: &[
        "‹order›;‹name›;‹city›;‹money›",
        "‹order› ; ‹first_name› ; ; ‹money›",
        "‹order›,\"‹last_name›, ‹first_name›\",‹date›,‹1..99›",
        "‹name›\t‹mail›\t‹date›",
        "‹2023..2026›/‹1..12›/‹1..28› ‹clock›  ‹12..31›,‹1..9›",
        "N/A;‹name›;‹city› ‹100..999›;-",
    ],
    n_material: (3, 8),
    plain_demands: &[
        "One format for all dates.",
        "Remove exact duplicates.",
        "Trim the spaces.",
        "Show the cleaned rows as a table.",
        "Count how many rows changed.",
    ],
    hard_demands: &[
        "Detect mojibake from a double UTF-8 decoding and repair it losslessly.",
        "Fuzzy-match names above a Jaro similarity of 0.‹81..94›, unless the birth dates contradict, in which case flag them.",
        "Day and month are swapped in an unknown subset: infer which from monotonicity and say how sure you are.",
        "Impute gaps of up to ‹2..6› readings by interpolation, longer ones by the seasonal median of the same weekday.",
        "Keep an audit trail that makes each change reversible.",
    ],
    closings: &[
        "I will check a sample by hand.",
        "The file has ‹2..80› thousand rows.",
        "Use no macros.",
    ],
};

pub(super) const LOG_ANALYSIS: Grammar = Grammar {
    topics: &[
        "a slow start",
        "errors after a deploy",
        "failed logins",
        "a full disk",
        "timeouts between two services",
        "a memory leak",
        "replication lag and split brain",
    ],
    openings: &[
        "We are looking into ‹topic› on ‹host›. Log excerpt:",
        "What explains ‹topic› here?",
        "On call at ‹company›, ‹topic›. These lines look relevant:",
    ],
    layout: Layout::SortedLines,
    material: &[
        "‹hour›:‹minute›:‹minute› INFO ‹host› request served in ‹8..900› ms",
        "‹hour›:‹minute›:‹minute› WARN ‹host› retry ‹1..5› of 5 to ‹service›",
        "‹hour›:‹minute›:‹minute› ERROR ‹host› connection to ‹service› refused",
        "‹hour›:‹minute›:‹minute› ERROR ‹host› timeout after ‹2000..30000› ms in ‹function›",
        "‹hour›:‹minute›:‹minute› INFO ‹host› heap ‹200..3900› MB, ‹10..900› threads",
        "‹hour›:‹minute›:‹minute› WARN ‹host› disk ‹71..99› percent full",
        "‹hour›:‹minute›:‹minute› INFO ‹host› deploy ‹1000..9999› finished",
        "‹hour›:‹minute›:‹minute› WARN ‹host› login failed for ‹handle›",
    ],
    n_material: (4, 9),
    plain_demands: &[
        "Which line is the first sign of trouble?",
        "Name the likely cause.",
        "Suggest ‹2..4› next steps.",
        "Count the errors per host.",
    ],
    hard_demands: &[
        "Clocks drift by up to ‹2..40› seconds between hosts: order the events causally, not by timestamp.",
        "Tell a retry storm from a thundering herd, and say which metric would discriminate.",
        "Exclude garbage collection pauses as a confounder.",
        "Rebuild the state of the circuit breaker after each line, assuming a half-open probe every ‹5..60› seconds.",
        "If the lease expired before the fsync returned, the leader was stale; check whether that is consistent with these lines.",
    ],
    closings: &["We can roll back if needed.", "Be brief, it is urgent.", "Times are in UTC."],
};
