#!/usr/bin/env python3
"""How rules for dense features flip choices under edits that change nothing, and what they cost.

A ridge fit at strength 10 on the terms of a prompt and its dense numbers, rebuilt in scikit-learn, on the
benchmark's divisions; the choice that ignores cost. Both edits leave every term as it is. The reference
routers beside the checkout read the tables. Needs numpy, pandas, pyarrow, scipy and scikit-learn.

    python3 benches/dense_edits.py ../shared routerdc7 ulab_llmrouter mmlu_pro alpaca_eval2
"""
import argparse
import os
import re
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Words and pairs of words in small letters with digits as 0, and every mark by itself.
TERM = re.compile(r"[a-z0-9\u0080-\uffff]+|[^\sa-z0-9]")
WORD = re.compile(r"[A-Za-z0-9\u0080-\uffff]+")
EDITS = {
    "case": str.lower,
    "white space": lambda text: text.replace(" ", "  ") + "\n",
}
# Rules: whether blanks count, and the share of capitals up to which there are none; None leaves capitals out.
RULES = {
    "schema 1": (True, 0.0),
    "no blanks": (False, 0.0),
    "capitals beyond 0.03": (False, 0.03),
    "schema 2": (False, 0.05),
    "capitals beyond 0.08": (False, 0.08),
    "no capitals": (False, None),
}


def terms(text):
    found, before = [], None
    for term in TERM.findall(re.sub("[0-9]", "0", text.lower())):
        found.append(term)
        if term[0].isalnum() or ord(term[0]) > 127:
            if before:
                found.append(before + " " + term)
            before = term
    return found


def counts(text):
    """Bytes in all, not blank, upper case, digits, marks, of code, beyond ASCII; words, `?`, line feeds."""
    b = np.frombuffer(text.encode(), dtype=np.uint8)
    upper, digit, high = (b >= 65) & (b <= 90), (b >= 48) & (b <= 57), b >= 128
    word = upper | ((b >= 97) & (b <= 122)) | digit | high
    mark = ~word & (b > 32)
    code = np.isin(b, np.frombuffer(b"[\\]^_`{|}~<=>", dtype=np.uint8))
    of = [len(b), int((word | mark).sum())] + [int(one.sum()) for one in (upper, digit, mark, code, high)]
    return of + [len(WORD.findall(text)), text.count("?"), text.count("\n"), text.strip().count("\n")]


def dense(found, rule):
    everything, solid, upper, digit, mark, code, high, words, asked, lines, inner_lines = found
    with_blanks, plain = rule
    n, lines = (everything, lines) if with_blanks else (solid, inner_lines)
    share = lambda count: count / max(n, 1)
    capitals = 0.0 if plain is None else max(share(upper), plain)
    length = np.log(max(n / max(words, 1), 1))
    log = [np.log1p(count) for count in (n, words, lines, asked)]
    return log + [length, capitals, share(digit), share(mark), share(code), share(high)]


def measure(name, shared):
    quality, _, meta, _ = baselines.outcome_matrix(os.path.join(shared, "data", name + ".parquet"))
    prompts, quality = meta["prompt"].fillna("").tolist(), quality.to_numpy()
    hashed = HashingVectorizer(
        analyzer=terms, n_features=2**18, binary=True, norm=None, alternate_sign=False
    ).transform(prompts)
    texts = {"": prompts, **{edit: [apply(text) for text in prompts] for edit, apply in EDITS.items()}}
    found = {edit: [counts(text) for text in all_texts] for edit, all_texts in texts.items()}
    parts = baselines.folds(meta)
    for rule_name, rule in RULES.items():
        numbers = {edit: np.array([dense(one, rule) for one in all_found]) for edit, all_found in found.items()}
        choices = {edit: np.zeros(len(prompts), dtype=int) for edit in texts}
        for train, test in parts:
            idf = TfidfTransformer().fit(hashed[train])
            mean, spread = numbers[""][train].mean(0), numbers[""][train].std(0)
            spread[spread < 1e-9] = np.inf

            def features(rows, edit):
                scaled = 0.15 * np.clip((numbers[edit][rows] - mean) / spread, -3, 3)
                return sp.hstack([idf.transform(hashed[rows]), sp.csr_matrix(scaled)]).tocsr()

            means = quality[train].mean(0)
            ridge = Ridge(alpha=10, solver="sparse_cg", tol=1e-3)
            ridge.fit(features(train, ""), quality[train] - means)
            for edit in texts:
                choices[edit][test] = (ridge.predict(features(test, edit)) + means).argmax(1)
        test = np.concatenate([test for _, test in parts])
        value = quality[test, choices[""][test]].mean()
        flips = [100 * (choices[edit][test] != choices[""][test]).mean() for edit in EDITS]
        flips = " | ".join(f"{share:.1f}" for share in flips)
        print(f"| {name} | {rule_name} | {value:.4f} | {flips} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", help="the folder with data/ and baselines/")
    parser.add_argument("tables", nargs="+")
    arguments = parser.parse_args()
    if not os.path.exists(os.path.join(arguments.shared, "baselines", "baselines.py")):
        sys.exit(f"nothing to measure with: {arguments.shared} has no baselines/baselines.py")
    sys.path.insert(0, os.path.join(arguments.shared, "baselines"))
    import baselines
    import numpy as np
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import Ridge

    print("| table | rules | quality | " + " | ".join(EDITS) + " |")
    for table in arguments.tables:
        measure(table, arguments.shared)
