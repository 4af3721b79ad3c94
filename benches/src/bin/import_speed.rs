//! Prints how fast an import is: megabytes of input per second of the processor, and its memory.
//!
//! `import-speed FOLDER [RECORDS]` writes records of LiteLLM's form, two kilobytes each, into FOLDER and
//! imports them there.

use pointsman_benches::processor::processor_seconds;
use pointsman_import::{ColumnMap, Options, Origin, find, import};
use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// The length of one record, in bytes, with its line end.
const RECORD_BYTES: usize = 2048;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("name a folder to work in")?);
    let n_records: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    fs::create_dir_all(&folder)?;
    let input = folder.join("litellm.ndjson");
    generate(&input, n_records)?;
    let n_bytes = fs::metadata(&input)?.len();
    let options = Options {
        inputs: vec![input],
        origin: Origin::Format(find("litellm").ok_or("the format is gone")?),
        out: folder.join("log"),
        messages: Vec::new(),
        map: ColumnMap::default(),
        rules: None,
        score: None,
        open_table: None,
        catalog: None,
        max_row_bytes: Options::MAX_ROW_BYTES,
        part_bytes: Options::PART_BYTES,
        settings: Vec::new(),
    };
    let before = processor_seconds()?;
    let imported = import(&options, &mut |_| ControlFlow::Continue(()))?;
    let seconds = processor_seconds()? - before;
    let megabytes = pointsman_core::units::as_float(n_bytes) / 1e6;
    let mut out = io::stdout().lock();
    writeln!(out, "decisions {}", imported.survey.known.n_decisions)?;
    writeln!(out, "processor seconds {seconds:.2}")?;
    writeln!(out, "megabytes per processor second {:.0}", megabytes / seconds)?;
    let status = fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes records that differ in their ids, times, models and prompts.
fn generate(path: &Path, n_records: u64) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let words =
        ["heron", "wades", "slowly", "through", "shallow", "water", "while", "wrens", "sing"];
    for number in 0..n_records {
        let at = pointsman_core::units::as_float(1_767_225_600 + number) + 0.25;
        let head = format!(
            "{{\"id\":\"call-{number:012}\",\"trace_id\":\"trace-{number:012}\",\"call_type\":\"acompletion\",\
             \"stream\":true,\"response_cost\":0.00042,\"status\":\"success\",\
             \"custom_llm_provider\":\"northwind\",\"total_tokens\":52,\"prompt_tokens\":40,\
             \"completion_tokens\":12,\"startTime\":{at},\"endTime\":{},\"completionStartTime\":{},\
             \"model\":\"model-{}\",\"model_group\":\"chat\",\"metadata\":{{\"user_api_key_team_id\":\"a\",\
             \"usage_object\":{{\"prompt_tokens_details\":{{\"cached_tokens\":16}}}}}},\"messages\":[\
             {{\"role\":\"system\",\"content\":\"Be brief.\"}},{{\"role\":\"user\",\"content\":\"",
            at + 1.5,
            at + 0.5,
            number % 5,
        );
        let tail = "\"}],\"response\":{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":\"About a \
                    metre, seldom more.\"}}]},\"model_parameters\":{\"max_tokens\":200},\"cache_hit\":null}\n";
        let mut record = head;
        let mut place = usize::try_from(number % 97).unwrap_or(0);
        while record.len() + tail.len() + 9 < RECORD_BYTES {
            record.push_str(words.get(place % words.len()).copied().unwrap_or_default());
            record.push(' ');
            place = place * 7 + 3;
            place %= 1009;
        }
        while record.len() + tail.len() < RECORD_BYTES {
            record.push('.');
        }
        record.push_str(tail);
        file.write_all(record.as_bytes())?;
    }
    file.flush()
}
