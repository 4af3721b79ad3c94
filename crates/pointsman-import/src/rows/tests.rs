use super::*;
use std::io::Cursor;

/// All rows as text, with what is no row in angle brackets.
fn rows_of(bytes: &[u8], limit: usize) -> Vec<String> {
    let mut rows = Rows::new(Box::new(Cursor::new(bytes.to_vec())), limit).unwrap();
    let mut found = Vec::new();
    loop {
        match rows.next().unwrap() {
            Next::Row | Next::Open => found.push(String::from_utf8(rows.row.clone()).unwrap()),
            Next::TooLong => found.push("<too long>".to_owned()),
            Next::CutOff => found.push("<cut off>".to_owned()),
            Next::End => return found,
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    assert_eq!(rows_of(text.as_bytes(), 1000), expected, "{text}");
}

#[test]
fn rows_are_found_in_every_layout() {
    check("{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}", &["{\"a\":1}", "{\"a\":2}\r", "{\"a\":3}"]);
    check("[{\"a\":\"]\"},\n {\"a\":[{}]} ]", &["{\"a\":\"]\"}", "{\"a\":[{}]}"]);
    check("[1, \"two\", null]", &["1", "\"two\"", "null"]);
    check("[]", &[]);
    check(
        "{\n \"a\": \"}\\\"\"\n}\n{\n \"a\": 2\n}",
        &["{\n \"a\": \"}\\\"\"\n}", "{\n \"a\": 2\n}"],
    );
    check(
        "{\"object\":\"list\",\"data\":[{\"a\":1},{\"a\":[2]}],\"more\":{\"data\":3}}",
        &["{\"a\":1}", "{\"a\":[2]}"],
    );
    check("{\"data\":[{\"a\":1}]}\n{\"data\":[{\"a\":2}]}\n", &["{\"a\":1}", "{\"a\":2}"]);
    check("{\"data\":{\"a\":1}}\n", &["{\"data\":{\"a\":1}}"]);
    check("{\"data\":[]}\n{\"data\":null}\n{\"data\":[{\"a\":2}]}", &["{}", "{\"a\":2}"]);
    check("\u{feff}{\"a\":1}\n", &["{\"a\":1}"]);
    check(
        "a,b\n1,\"x, \"\"y\"\"\nz\"\n,\n",
        &["{\"a\":\"1\",\"b\":\"x, \\\"y\\\"\\nz\"}", "{\"a\":null,\"b\":null}"],
    );
    check("", &[]);
}

#[test]
fn what_is_cut_off_or_too_long_is_told() {
    check("[{\"a\":1},{\"a\":", &["{\"a\":1}", "<cut off>"]);
    check("[{\"a\":1},", &["{\"a\":1}", "<cut off>"]);
    check("{\"data\":[{\"a\":1}", &["{\"a\":1}", "<cut off>"]);
    check("a,b\n1,\"never closed\n", &["<cut off>"]);
    let long = format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n{{\"a\":2}}\n", "x".repeat(5000));
    assert_eq!(rows_of(long.as_bytes(), 100), ["{\"a\":1}", "<too long>", "{\"a\":2}"]);
    let long = format!("[{{\"a\":1}},{{\"a\":\"{}\"}},{{\"a\":2}}]", "x".repeat(500_000));
    assert_eq!(rows_of(long.as_bytes(), 100), ["{\"a\":1}", "<too long>", "{\"a\":2}"]);
    let long = format!("a,b\n1,{}\n2,3\n", "x".repeat(5000));
    assert_eq!(rows_of(long.as_bytes(), 100), ["<too long>", "{\"a\":\"2\",\"b\":\"3\"}"]);
}

/// A line, an element or a cell of a gigabyte is told and takes no memory.
#[test]
fn a_gigabyte_without_an_end_takes_no_memory() {
    let around = |head: &'static str, tail: &'static str| {
        let bytes =
            Cursor::new(head).chain(io::repeat(b'x').take(1 << 30)).chain(Cursor::new(tail));
        let bytes = io::BufReader::with_capacity(1 << 18, bytes);
        let mut rows = Rows::new(Box::new(bytes), 1000).unwrap();
        let mut found = Vec::new();
        loop {
            let next = rows.next().unwrap();
            assert!(rows.row.capacity() < 1 << 20, "{}", rows.row.capacity());
            if next == Next::End {
                return found;
            }
            found.push(next);
        }
    };
    let told = [Next::Row, Next::TooLong, Next::Row];
    assert_eq!(around("{\"a\":1}\n{\"a\":\"", "\"}\n{\"a\":2}\n"), told);
    assert_eq!(around("[{\"a\":1},{\"a\":\"", "\"},{\"a\":2}]"), told);
    assert_eq!(around("a,b\n1,2\n1,", "\n2,3\n"), told);
}

#[test]
fn a_byte_is_found_wherever_it_is() {
    for length in 0..70 {
        assert_eq!(find(&vec![b'x'; length], b'\n'), None);
        for at in 0..length {
            let mut bytes = vec![b'x'; length];
            bytes[at] = b'\n';
            assert_eq!(find(&bytes, b'\n'), Some(at));
        }
    }
}
