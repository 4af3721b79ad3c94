#!/usr/bin/env bash
# Holds the running service to its own /openapi.json: no server error, no status that is not documented.
# Needs python3 with venv, and a network to install schemathesis from; `EXAMPLES` says how hard it tries.
# Weakness: it calls the callers' listener only, since that is what the document describes.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
examples=${EXAMPLES:-200}
folder=$(mktemp -d)
service=
trap '[ -z "$service" ] || kill "$service" 2>/dev/null || true; rm -rf "$folder"' EXIT
cargo build --release -q -p pointsman-cli -p pointsman-benches --no-default-features \
    --features pointsman-cli/serve --bin pointsman --bin serve-files
python3 -m venv "${VENV:=$folder/venv}"
"$VENV/bin/pip" install -q 'schemathesis>=4,<5'
"$target/release/serve-files" "$folder"
printf '[explore]\nhow = "epsilon:0.2"\n[journal]\noutcomes = "os"\n' > "$folder/pointsman.toml"
"$target/release/pointsman" serve --policy "$folder/policy.safetensors" \
    --catalog "$folder/catalog.toml" --config "$folder/pointsman.toml" \
    --journal "$folder/journal" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
    2> "$folder/serve.log" &
service=$!
until grep -q listening "$folder/serve.log"; do
    kill -0 "$service" || { cat "$folder/serve.log"; exit 1; }
    sleep 0.1
done
# Straight to this machine, whatever proxy the packages came by.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
at=$(sed -n 's/.*"callers":"\([^"]*\)".*/\1/p' "$folder/serve.log" | head -1)
"$VENV/bin/schemathesis" run "http://$at/openapi.json" --url "http://$at" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --max-examples "$examples" --generation-deterministic
