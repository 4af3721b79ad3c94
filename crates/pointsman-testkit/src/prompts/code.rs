//! Programs: writing them and finding what is wrong with them.

use super::{Grammar, Layout};

pub(super) const CODE_WRITING: Grammar = Grammar {
    topics: &[
        "a Python script that renames files by date",
        "a Python function `‹function›` that groups ‹object› by ‹column›",
        "a JavaScript function that formats ‹money› amounts",
        "a JavaScript module that debounces calls to `‹function›`",
        "a shell one-liner that counts ‹object›",
        "a Python class for a least-recently-used cache of ‹object›",
        "a Rust function `‹function›` that parses a list of ‹object›",
        "a Rust iterator adapter over sorted ‹object›",
        "a Rust `Future` that polls ‹2..6› ‹object› fairly",
        "a JavaScript service worker that syncs ‹object› offline",
        "a Python asyncio pipeline with back-pressure for ‹object›",
    ],
    openings: &[
        "Write ‹topic›.",
        "I need ‹topic› for the ‹service› service.",
        "Please implement ‹topic›; it is for ‹company›.",
        "Could you code ‹topic›?",
    ],
    layout: Layout::Lines,
    material: &[
        "Input example: [‹3..99›, ‹3..99›, ‹3..99›, ‹100..999›]",
        "Expected for ‹2..9› ‹object›: ‹10..90›",
        "It is called from `‹function›` about ‹10..900› times a second.",
        "There is already a helper named `‹function›`.",
        "The records have the fields ‹column›, ‹column› and ‹column›.",
    ],
    n_material: (0, 3),
    plain_demands: &[
        "Add a short comment at the top.",
        "Include ‹2..4› unit tests.",
        "No third-party packages.",
        "Empty input gives an empty result.",
        "Use clear names.",
    ],
    hard_demands: &[
        "It must be lock-free and safe under concurrent writers; justify the memory ordering.",
        "Cancellation may happen at any await point and must leave the ‹object› consistent.",
        "Stay generic over the borrowed and owned form, with a lifetime that outlives the callback.",
        "Keep it O(n log n) with at most ‹16..128› bytes of extra memory per element.",
        "Retries are idempotent, unless the server answered 409, in which case compare the etag and rebase.",
        "Stream the input: it may be ‹4..90› GB and contain split multi-byte characters at chunk borders.",
        "Overflow, NaN and negative zero need defined behaviour; prove the invariant in a comment.",
    ],
    closings: &[
        "Only the code.",
        "Explain the main idea in two sentences.",
        "It has to run on an old laptop.",
    ],
};

pub(super) const BUG_FIXING: Grammar = Grammar {
    topics: &[
        "Python\n```python\ndef ‹function›(‹object›):\n    total = 0\n    for i in range(1, len(‹object›)):\n        total += ‹object›[i]\n    return total / ‹2..9›\n```",
        "Python\n```python\ndef ‹function›(row, seen=[]):\n    if row['‹column›'] not in seen:\n        seen.append(row['‹column›'])\n    return len(seen) > ‹3..40›\n```",
        "JavaScript\n```js\nfunction ‹function›(list) {\n  list.sort();\n  return list.filter(x => x.‹column› = ‹10..99›);\n}\n```",
        "JavaScript\n```js\nasync function ‹function›(ids) {\n  const out = [];\n  ids.forEach(async id => out.push(await load(id, ‹2..30›)));\n  return out;\n}\n```",
        "SQL\n```sql\nSELECT ‹column›, COUNT(*) FROM ‹table›\nLEFT JOIN ‹table› t ON t.id = ‹column›\nWHERE t.status <> 'closed' AND ‹column› > ‹10..900›\n```",
        "Rust\n```rust\nfn ‹function›(v: &mut Vec<u32>) {\n    for i in 0..v.len() {\n        if v[i] > ‹10..99› { v.remove(i); }\n    }\n}\n```",
        "Rust\n```rust\nfn ‹function›<'a>(a: &'a str, b: &str) -> &'a str {\n    let key = format!(\"{a}:‹10..99›\");\n    if b.len() > ‹3..9› { &key } else { a }\n}\n```",
        "Rust\n```rust\nlet guard = state.lock().unwrap();\nlet ‹object› = guard.‹function›();\nsend(‹object›, ‹2..60›).await;\n```",
    ],
    openings: &[
        "What is wrong here? ‹topic›\n",
        "Find the bug. ‹topic›\n",
        "‹first_name› reviewed this and says it fails for ‹2..40› ‹object›: ‹topic›\n",
        "Please fix my code from the ‹service› repository. ‹topic›\n",
    ],
    layout: Layout::Prose,
    material: &[
        "It worked until ‹date›.",
        "The result is ‹10..99› but I expect ‹10..99›.",
        "The error appears only on ‹host›.",
        "With ‹2..9› ‹object› it is fine, with ‹100..900› it is not.",
        "The test `‹function›_empty` fails.",
    ],
    n_material: (0, 3),
    plain_demands: &[
        "Show the corrected version.",
        "Say in one sentence what went wrong.",
        "Add a test that would have caught it.",
        "Change as little as possible.",
    ],
    hard_demands: &[
        "It also deadlocks under load: find the interleaving of ‹2..4› threads that does it.",
        "Explain why the borrow checker accepts the first form and rejects the second.",
        "The failure is a heisenbug, gone with logging on; reason about reordering and the missing happens-before edge.",
        "Callers rely on the broken behaviour for ‹object›, so keep it behind a shim unless the version header is at least ‹2..9›.",
        "Check for the off-by-one under daylight saving and for the leap second on ‹date›.",
        "Bisect mentally between the ‹3..7› commits that touched it and name the likeliest.",
    ],
    closings: &[
        "No refactoring, please.",
        "I use the latest stable tools.",
        "The team lead is waiting.",
    ],
};
