#!/usr/bin/env bash
# Requests per second and server CPU of `/route`, and of `/escalate` with an answer of 2 KiB, beside those
# of a bare axum handler that parses the prompt and answers as many bytes as `/route`: the same load tool, in
# turns, in one run. Needs wrk and curl. Answers belong to decisions that were made before the load begins, each
# of them to one of DECISIONS in turn, so that no two calls in a row look up the same one. Weakness: the load
# tool shares the machine's cores; trust the ratio, not the rates.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
seconds=${SECONDS_EACH:-5}
rounds=${ROUNDS:-3}
connections=${CONNECTIONS:-16}
decisions=${DECISIONS:-500}
# One command, so that both are built with the same features; without `learn`, and so without Polars.
cargo build --release -q -p pointsman-cli -p pointsman-benches --no-default-features \
    --features pointsman-cli/serve --bin pointsman --bin bare-http --bin serve-files
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
"$target/release/serve-files" "$folder"
cat > "$folder/post.lua" <<LUA
wrk.method = "POST"
local file = io.open("$folder/body.json")
wrk.body = file:read("*a")
wrk.headers["content-type"] = "application/json"
LUA
cat > "$folder/escalate.lua" <<LUA
local template = io.open("$folder/escalate.json"):read("*a")
local bodies, at = {}, 0
function init(args)
    local headers = { ["content-type"] = "application/json" }
    for id in io.lines("$folder/ids") do
        bodies[#bodies + 1] = wrk.format("POST", "/escalate", headers, (template:gsub("DECISION_ID", id)))
    end
end
function request()
    at = at % #bodies + 1
    return bodies[at]
end
LUA
explore=${EXPLORE:-greedy}
# Starts a service with settings of its own; sets `pid` and `at`.
start() {
    local name=$1 settings=$2
    printf '[explore]\nhow = "%s"\nshare = 1.0\n%b' "$explore" "$settings" > "$folder/$name.toml"
    "$target/release/pointsman" serve --policy "$folder/policy.safetensors" \
        --catalog "$folder/catalog.toml" --config "$folder/$name.toml" \
        --journal "$folder/$name" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
        2> "$folder/$name.log" &
    pid=$!
    pids+=("$pid")
    until grep -q listening "$folder/$name.log"; do sleep 0.1; done
    at=$(sed -n 's/.*"callers":"\([^"]*\)".*/\1/p' "$folder/$name.log" | head -1)
}
# Some 400 MB a second would touch all memory of the machine, which takes longer than memory that was
# touched before; so the journal keeps its last 256 MiB. That of `/escalate` has to keep the decisions.
start route '[journal]\nkeep_bytes = 268435456\n'
service=$pid service_at=$at
start escalate ''
reader=$pid reader_at=$at
size=$(curl -s -d @"$folder/body.json" "http://$service_at/route" | wc -c)
for _ in $(seq "$decisions"); do
    curl -s -d @"$folder/body.json" "http://$reader_at/route" | grep -o '"decision_id":"[^"]*"' | head -1 | cut -d'"' -f4 || true
done > "$folder/ids"
n_ids=$(sort -u "$folder/ids" | wc -l)
if [ "$n_ids" -ne "$decisions" ]; then
    echo "$n_ids decisions where $decisions were asked for; is the service refusing calls?" >&2
    exit 1
fi
"$target/release/bare-http" "$size" > "$folder/bare.log" &
bare=$!
pids+=("$bare")
until [ -s "$folder/bare.log" ]; do sleep 0.1; done
bare_at=$(head -1 "$folder/bare.log")
printf 'a body of %d bytes, with an answer %d, a reply of %d, %d connections, %d s each\n' \
    "$(wc -c < "$folder/body.json")" "$(wc -c < "$folder/escalate.json")" "$size" "$connections" "$seconds"
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
measure() {
    local name=$1 pid=$2 address=$3 script=$4 before after out
    before=$(ticks "$pid")
    out=$(wrk -t1 -c"$connections" -d"${seconds}s" -s "$folder/$script" "http://$address/route")
    after=$(ticks "$pid")
    awk -v name="$name" -v ticks=$((after - before)) -v hertz="$(getconf CLK_TCK)" '
        /requests in/ { n = $1 } /Requests\/sec/ { rate = $2 } /Non-2xx/ { bad = $NF }
        END { printf "%-8s %9.0f requests/s  %6.1f us CPU/request  %d not 2xx\n",
              name, rate, 1e6 * ticks / hertz / n, bad }' <<< "$out"
}
for _ in $(seq "$rounds"); do
    measure bare "$bare" "$bare_at" post.lua
    measure route "$service" "$service_at" post.lua
    measure escalate "$reader" "$reader_at" escalate.lua
done
