use super::*;

fn messages(text: &str) -> Vec<String> {
    let (root, mut mistakes) = read(text);
    if let Some(mut root) = root {
        drop_duplicates(&mut root, &mut mistakes);
    }
    mistakes
        .iter()
        .map(|m| format!("{}:{} {}", m.line.unwrap_or(0), m.column.unwrap_or(0), m.message))
        .collect()
}

#[test]
fn what_yaml_can_do_but_a_configuration_should_not_is_refused_with_its_place() {
    for (text, expected) in [
        ("a: 1\na: 2\n", "2:1 key `a` is given twice, first on line 1"),
        ("a: &x 1\n", "1:4 anchors (`&name`) are not supported"),
        (
            "a: &x {b: 1}\nc:\n  <<: *x\n",
            "3:7 aliases (`*name`) are not supported",
        ),
        ("a: !secret b\n", "1:4 tags (`!name`) are not supported"),
        (
            "a: 1\n---\nb: 2\n",
            "2:1 a second YAML document: only one is read",
        ),
        (
            "? [a]\n: 1\n",
            "1:3 expected a key, found a collection or an alias",
        ),
    ] {
        assert!(
            messages(text).iter().any(|m| m == expected),
            "{text:?}: {:?}",
            messages(text)
        );
    }
}

#[test]
fn invalid_yaml_has_a_line_and_a_column() {
    for text in [
        "a: [1\nb: 2\n",
        "a: \"x\n",
        "a: b: c\n",
        "a: *nowhere\n",
        "a:\n\tb: 1\n",
    ] {
        let found = messages(text);
        assert!(
            found.iter().any(|m| m.contains("not valid YAML")),
            "{text:?}: {found:?}"
        );
    }
}

#[test]
fn hostile_files_end_soon() {
    let deep = "[".repeat(200_000);
    let flow = format!("a: {}", "{a: ".repeat(100_000));
    let nested: String = (0..2_000)
        .map(|i| format!("{}a:\n", " ".repeat(i % 500)))
        .collect();
    let aliases = format!("a: &a [x]\nb: [{}]", "*a,".repeat(100_000));
    let long = format!("a: {}", "x".repeat(MAX_BYTES - 10));
    let huge = "x".repeat(MAX_BYTES + 1);
    let bad_keys = "? [a]\n".repeat(50_000);
    for text in [&deep, &flow, &nested, &aliases, &huge, &bad_keys] {
        assert!(!messages(text).is_empty());
        assert!(messages(text).len() <= MAX_MISTAKES + 1);
    }
    assert!(messages(&long).is_empty());
}

#[test]
fn plain_scalars_have_types_and_quoted_ones_do_not() {
    let (root, _) = read("[1, -2, 0.5, true, ~, x, '1', 007, 1e3, +4, 0x10, '', .nan, 1.2.3]");
    let Kind::List(items) = root.unwrap().kind else {
        panic!()
    };
    let values: Vec<String> = items
        .iter()
        .map(|i| match &i.kind {
            Kind::Scalar(s) => format!("{:?}", s.value()),
            _ => panic!(),
        })
        .collect();
    insta::assert_snapshot!(values.join("\n"));
}
