//! A segment of version 1 loads for ever.

use super::*;

const GOLDEN: &[u8] = include_bytes!("../../../testdata/journal-v1.ndjson");

#[test]
fn version_1_of_a_segment_loads_for_ever_and_is_written_so() {
    let dir = TempDir::new().unwrap();
    let (journal, _) = open(dir.path(), Settings::default());
    journal.append_decision(&examples::full_decision()).unwrap();
    journal.append_outcome(&examples::full_outcome()).unwrap();
    journal.append_decision(&examples::minimal_decision()).unwrap();
    journal.append_outcome(&examples::minimal_outcome()).unwrap();
    let path = segments::segment_path(dir.path(), 1);
    let written = std::fs::read(&path).unwrap();
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(GOLDEN));

    drop(journal);
    std::fs::write(&path, GOLDEN).unwrap();
    let expected = vec![
        Record::Decision(Box::new(examples::full_decision())),
        Record::Outcome(Box::new(examples::full_outcome())),
        Record::Decision(Box::new(examples::minimal_decision())),
        Record::Outcome(Box::new(examples::minimal_outcome())),
    ];
    assert_eq!(read_all(dir.path()), (expected.clone(), Damage::default()));
    // The reader of plain logs takes it too.
    let plain: Vec<_> = crate::ndjson::read(GOLDEN).collect::<Result<_, _>>().unwrap();
    assert_eq!(plain, expected);
}
