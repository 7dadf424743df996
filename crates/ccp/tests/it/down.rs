use crate::platform::Manner;
use crate::world::{BOTH, World};
use bramble_ccp::{Error, Version};
use std::time::Duration;

#[tokio::test]
async fn a_cluster_goes_and_others_stay() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        world.up().await.unwrap();
        let mut other = world.foreign("by hand");
        other["name"] = "other".into();
        world.platform.add(other);
        assert!(world.down().await.unwrap());
        assert_eq!(world.platform.names(), ["other"]);
        assert!(!world.down().await.unwrap(), "there is nothing left to do");
        assert_eq!(world.platform.record(|record| record.deletions.len()), 1);
    }
}

#[tokio::test]
async fn what_bramble_did_not_make_is_not_deleted() {
    for version in BOTH {
        let mut world = World::new(version, Manner::default()).await;
        world
            .platform
            .add(world.foreign("Created by RMLAB Dash Button 172.20.0.0/16"));
        assert!(matches!(world.down().await, Err(Error::Foreign { .. })));
        assert_eq!(world.platform.names(), ["dash01-1"]);
    }
}

#[tokio::test]
async fn a_changed_file_does_not_keep_its_cluster_from_going() {
    let mut world = World::new(Version::V2, Manner::default()).await;
    world
        .platform
        .add(world.foreign("Created by Bramble, 10.9.0.0/16"));
    assert!(world.down().await.unwrap());
}

#[tokio::test]
async fn one_that_failed_goes_as_well() {
    for version in BOTH {
        let manner = Manner {
            states: Some(vec!["CREATING", "ERROR"]),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        assert!(matches!(world.up().await, Err(Error::Failed { .. })));
        assert!(world.down().await.unwrap());
        assert!(world.platform.names().is_empty());
    }
}

#[tokio::test]
async fn one_that_stays_is_waited_for_no_longer_than_its_limit() {
    let manner = Manner {
        keeps: true,
        ..Manner::default()
    };
    let world = World::new(Version::V3, manner).await;
    world
        .platform
        .add(world.foreign("Created by Bramble, 172.20.0.0/16"));
    let mut pace = crate::world::pace();
    pace.delete = Duration::from_millis(300);
    let access = crate::world::access(&world.platform, Version::V3, crate::platform::PASSWORD);
    let client = bramble_ccp::Client::new(access, pace).unwrap();
    let (_stay, stop) = tokio::sync::watch::channel(false);
    let error = client
        .down(&world.file, stop, &mut |_| {})
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Late { wanted: "gone", state, .. } if state == "DELETING"),
        "{error}"
    );
}
