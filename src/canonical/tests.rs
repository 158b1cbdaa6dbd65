use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

#[test]
fn keys_are_sorted_as_the_rfc_says() {
    // The example of RFC 8785, section 3.2.3: by UTF-16 code units, not by code points.
    let value = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
        "\u{f6}": "Latin Small Letter O With Diaeresis",
    });
    let form = form(&value).unwrap();
    let places: Vec<usize> = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]
        .iter()
        .map(|name| form.find(name).unwrap())
        .collect();
    assert!(places.is_sorted(), "{form}");
}

#[test]
fn strings_are_escaped_as_the_rfc_says() {
    // From the example of RFC 8785, section 3.2.2.
    let form = form("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}").unwrap();
    assert_eq!(form, "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"");
}

#[test]
fn numbers_nobody_agrees_on_are_refused() {
    let edges = json!([LARGEST_INTEGER, -9_007_199_254_740_991_i64, 0]);
    assert_eq!(form(&edges).unwrap(), "[9007199254740991,-9007199254740991,0]");
    for value in [json!(LARGEST_INTEGER + 1), json!(u64::MAX), json!(i64::MIN), json!(0.5), json!(1e30)] {
        assert!(form(&value).is_err(), "{value}");
    }
}

#[test]
fn a_digest_is_sha_256() {
    // FIPS 180-4, the example for "abc".
    assert_eq!(
        Digest::sha256(b"abc").as_str(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert!(Digest::zero().as_str().parse::<Digest>().is_ok());
    for given in ["", "ab", &"A".repeat(64), &"g".repeat(64), &"0".repeat(65)] {
        assert!(given.parse::<Digest>().is_err(), "{given}");
    }
}

/// Values of every shape a canonical form may have.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The same value with the fields of every object in reverse order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect())
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

/// Whether the keys of every object are in ascending order, as they were read.
fn sorted(value: &Value) -> bool {
    let ascending = |fields: &Map<String, Value>| {
        let keys: Vec<Vec<u16>> = fields.keys().map(|key| key.encode_utf16().collect()).collect();
        keys.is_sorted()
    };
    match value {
        Value::Object(fields) => ascending(fields) && fields.values().all(sorted),
        Value::Array(items) => items.iter().all(sorted),
        _ => true,
    }
}

proptest! {
    #[test]
    fn the_form_is_the_value_and_nothing_else(value in values()) {
        let form = form(&value).unwrap();
        let read: Value = serde_json::from_str(&form).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert!(sorted(&read), "{}", form);
        prop_assert_eq!(super::form(&read).unwrap(), form.clone());
        // The order of the fields does not matter.
        prop_assert_eq!(super::form(&reversed(&value)).unwrap(), form);
    }

    #[test]
    fn different_values_have_different_forms(a in values(), b in values()) {
        prop_assert_eq!(a == b, form(&a).unwrap() == form(&b).unwrap());
    }

    #[test]
    fn nothing_is_between_the_tokens(value in values()) {
        // `serde_json`'s compact writer has the same tokens, in the order of the fields.
        let read: Value = serde_json::from_str(&form(&value).unwrap()).unwrap();
        prop_assert_eq!(form(&value).unwrap(), serde_json::to_string(&read).unwrap());
    }
}
