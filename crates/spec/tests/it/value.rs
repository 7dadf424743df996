//! Files in another form than text.

use crate::examples;
use bramble_spec::{load, value};

#[test]
fn a_file_in_another_form_means_the_same() {
    for name in ["minimal", "lab", "router", "full"] {
        let text = examples::text(name);
        let json = value(&text).unwrap();
        let again = serde_json::to_string_pretty(&json).unwrap();
        assert_eq!(load("f", &again).unwrap(), load("f", &text).unwrap());
        assert_eq!(value(&again).unwrap(), json, "{name}");
    }
}

#[test]
fn what_is_no_yaml_has_no_other_form() {
    assert_eq!(value("a: [1"), None);
}
