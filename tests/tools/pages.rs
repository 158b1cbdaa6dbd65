//! How much an answer is: a page ends by its weight, whatever is in it.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;

/// What a page may weigh, and what is around its entries.
const PAGE: usize = 24 * 1024 + 512;

/// Sixty hosts, each of which fails with 1,900 characters of its own.
const LOUD: &str = r#"{
  outputs = _: let
    numbers = builtins.genList (number: number) 60;
    long = number: builtins.concatStringsSep " " (builtins.genList (_: "word ${toString number}") 240);
  in {
    nixosConfigurations = builtins.listToAttrs (map (number: {
      name = "host-${toString number}";
      value = throw (long number);
    }) numbers);
  };
}"#;

#[test]
fn a_page_of_long_errors_ends_by_weight() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::committed(&nix, &[("flake.nix", LOUD)]);
    let mut client = Client::begun(&fleet, &[], "2025-11-25");
    for (tool, list, name) in [("list_hosts", "hosts", "name"), ("flake_check", "outputs", "attr")] {
        let mut seen = Vec::new();
        let mut cursor = Value::Null;
        loop {
            let mut arguments = json!({"limit": 500});
            if !cursor.is_null() {
                arguments["cursor"] = cursor;
            }
            let id = client.ask("tools/call", json!({"name": tool, "arguments": arguments}));
            let result = client.answer(id).json["result"].clone();
            let answer = &result["structuredContent"];
            let page = answer[list].as_array().unwrap_or_else(|| panic!("{result:#}"));
            assert!(answer.to_string().len() <= PAGE, "{tool}: {} bytes", answer.to_string().len());
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.len() <= PAGE, "{tool}: {} bytes of text", text.len());
            seen.extend(page.iter().map(|entry| entry[name].as_str().unwrap().to_owned()));
            cursor = answer["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
            assert!(page.len() > 5, "{tool}: a page of {}", page.len());
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 60, "{tool}: nothing is left out");
    }
}
