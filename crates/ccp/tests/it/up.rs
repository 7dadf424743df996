use crate::platform::{Manner, VIP, kubeconfig};
use crate::world::{BOTH, World, template};
use bramble_ccp::{Told, Version};
use serde_json::{Value, json};

#[tokio::test]
async fn a_cluster_is_made_from_the_template() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        let made = world.up().await.unwrap();
        assert!(made.now);
        assert_eq!(made.address, format!("https://{VIP}:6443"));
        assert_eq!(made.kubeconfig.expose(), kubeconfig());

        let orders = world.orders();
        assert_eq!(orders.len(), 1, "{version:?}");
        let mut wanted = template(version);
        wanted["name"] = json!("dash01-1");
        wanted["description"] = json!("Created by Bramble, 172.20.0.0/16: for a button");
        match version {
            Version::V2 => {
                wanted["network_plugin"]["details"] = json!("{\"pod_cidr\":\"172.20.0.0/16\"}")
            }
            Version::V3 => {
                wanted["network_plugin_profile"]["details"]["pod_cidr"] = json!("172.20.0.0/16");
            }
        }
        assert_eq!(orders[0], wanted, "everything else is the template's");
    }
}

#[tokio::test]
async fn what_is_told_is_what_the_platform_says() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        world.up().await.unwrap();
        assert_eq!(world.told[0], Told::Ordered { now: true });
        let machines: Vec<&str> = world
            .told
            .iter()
            .filter_map(|told| match told {
                Told::Machine { name } => Some(name.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(machines.len(), 3, "each once: {machines:?}");
        let waiting =
            |told: &Told| matches!(told, Told::Waiting { what, .. } if what.contains("CREATING"));
        assert!(world.told.iter().any(waiting), "{:?}", world.told);
    }
}

#[tokio::test]
async fn asking_again_orders_nothing() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        world.up().await.unwrap();
        let again = world.up().await.unwrap();
        assert!(!again.now);
        assert_eq!(world.orders().len(), 1);
    }
}

#[tokio::test]
async fn one_that_was_ordered_before_is_followed() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        world.platform.behave(Manner {
            states: Some(vec!["CREATING"]),
            ..Manner::default()
        });
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let client = &world.client;
        let mut looks = 0;
        let mut tell = |told: Told| {
            looks += usize::from(matches!(told, Told::Waiting { .. }));
            if looks == 3 {
                stop.send_replace(true);
            }
        };
        let ended = client
            .up(&world.file, &world.order, stopped, &mut tell)
            .await;
        assert!(
            matches!(ended, Err(bramble_ccp::Error::Stopped)),
            "{ended:?}"
        );
        world.platform.behave(Manner::default());
        assert!(!world.up().await.unwrap().now);
        assert_eq!(world.orders().len(), 1);
    }
}

#[tokio::test]
async fn without_a_shared_address_it_is_the_kubeconfigs_or_the_control_planes() {
    for version in BOTH {
        let manner = Manner {
            no_vip: true,
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        world.up().await.unwrap();
        let found = world.client.find("dash01-1").await.unwrap().unwrap();
        assert_eq!(found.host.as_deref(), Some("10.10.20.100"));
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_wait_for_version_2_changes_nothing() {
    let manner = Manner {
        impatient_proxy: true,
        ..Manner::default()
    };
    let mut world = World::new(Version::V2, manner).await;
    assert!(world.up().await.unwrap().now);
    assert_eq!(world.orders().len(), 1);
}

#[tokio::test]
async fn a_cluster_of_somebody_else_is_left_alone() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        world.platform.add(world.foreign("by hand"));
        let error = world.up().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the platform has a cluster dash01-1 that Bramble didn't make"
        );
        assert!(error.hint().is_some());
        assert_eq!(world.orders(), Vec::<Value>::new());
    }
}

#[tokio::test]
async fn a_cluster_with_other_settings_is_not_taken_for_this_one() {
    let mut world = World::new(Version::V3, Manner::default()).await;
    world
        .platform
        .add(world.foreign("Created by Bramble, 10.0.0.0/16"));
    let error = world.up().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("(Created by Bramble, 10.0.0.0/16)"),
        "{error}"
    );
}
