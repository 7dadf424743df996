use crate::platform::{Manner, PASSWORD, Platform};
use crate::world::{BOTH, World, access, file, pace, template, template_v2_aci};
use bramble_ccp::{Client, Error, Order, Version, ranges};
use serde_json::json;

#[tokio::test]
async fn each_cluster_has_its_range_in_the_list() {
    for version in BOTH {
        let world = World::new(version, Manner::default()).await;
        for (name, range) in [("one", "10.1.0.0/16"), ("two", "10.2.0.0/16")] {
            let mut body = template(version);
            body["name"] = json!(name);
            match version {
                Version::V2 => {
                    body["network_plugin"]["details"] =
                        json!(json!({ "pod_cidr": range }).to_string())
                }
                Version::V3 => {
                    body["network_plugin_profile"]["details"] = json!({ "pod_cidr": range })
                }
            }
            world.platform.add(body);
        }
        let found = ranges(&world.client.clusters().await.unwrap());
        let found: Vec<_> = found
            .iter()
            .map(|r| (r.cluster.as_str(), r.range.as_str(), r.plugin.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("one", "10.1.0.0/16", "calico"),
                ("two", "10.2.0.0/16", "calico")
            ]
        );
    }
}

#[tokio::test]
async fn with_aci_a_range_that_is_in_use_is_refused_before_anything_is_ordered() {
    let platform = Platform::start(Manner::default()).await;
    let client = Client::new(access(&platform, Version::V2, PASSWORD), pace()).unwrap();
    let mut other = template_v2_aci();
    other["name"] = json!("other");
    other["network_plugin"]["details"] = json!("{\"node_vlan_cidr\": \"10.5.0.0/24\"}");
    platform.add(other);
    for (range, refused) in [("10.5.0.0/25", true), ("10.6.0.0/24", false)] {
        let file = file(Version::V2, &platform.url(), "contiv-aci", range);
        let order = Order::of(&file, &template_v2_aci()).unwrap();
        let (_stay, stop) = tokio::sync::watch::channel(false);
        let done = client.up(&file, &order, stop, &mut |_| {}).await;
        let orders = platform.record(|record| record.orders.clone());
        match done {
            Err(Error::RangeUsed { cluster, .. }) if refused => {
                assert_eq!(cluster, "other");
                assert!(orders.is_empty());
            }
            Ok(_) if !refused => {
                assert_eq!(
                    orders[0]["network_plugin"]["details"],
                    "{\"node_vlan_cidr\":\"10.6.0.0/24\"}"
                );
            }
            other => panic!("{range}: {other:?}"),
        }
    }
}
