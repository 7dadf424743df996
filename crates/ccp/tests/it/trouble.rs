use crate::platform::{Manner, Outage, PASSWORD};
use crate::world::{BOTH, World, access, pace};
use bramble_ccp::{Client, Error, Version};
use std::time::Duration;

#[tokio::test]
async fn a_cluster_that_fails_is_said_with_its_reasons() {
    let manner = Manner {
        states: Some(vec!["CREATING", "CREATING", "ERROR"]),
        ..Manner::default()
    };
    let mut world = World::new(Version::V2, manner.clone()).await;
    let error = world.up().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the platform says that dash01-1 is ERROR"
    );
    assert!(
        error
            .log()
            .contains(&"dash01-1-0: no space left on datastore".to_owned()),
        "{:?}",
        error.log()
    );
    let mut world = World::new(Version::V3, manner).await;
    assert!(matches!(world.up().await, Err(Error::Failed { .. })));
}

#[tokio::test]
async fn a_short_outage_passes() {
    for version in BOTH {
        let outage = Some(Outage {
            after: 3,
            requests: 3,
        });
        let manner = Manner {
            outage,
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        world.up().await.unwrap();
        assert_eq!(world.orders().len(), 1);
    }
}

/// A client that gives up early.
fn hasty(world: &World, version: Version) -> Client {
    let mut pace = pace();
    pace.create = Duration::from_millis(600);
    pace.patience = Duration::from_millis(300);
    Client::new(access(&world.platform, version, PASSWORD), pace).unwrap()
}

#[tokio::test]
async fn an_outage_that_lasts_ends_with_what_is_wrong() {
    for version in BOTH {
        let outage = Some(Outage {
            after: 3,
            requests: u32::MAX,
        });
        let manner = Manner {
            outage,
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        world.client = hasty(&world, version);
        let error = world.up().await.unwrap_err();
        assert!(
            matches!(error, Error::Refused { status: 503, .. }),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_cluster_that_never_gets_ready_is_waited_for_no_longer_than_its_limit() {
    for version in BOTH {
        let manner = Manner {
            states: Some(vec!["CREATING"]),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        world.client = hasty(&world, version);
        let error = world.up().await.unwrap_err();
        assert!(error.to_string().contains("is not ready after"), "{error}");
        assert!(error.hint().unwrap().contains("run the same command again"));
    }
}

#[tokio::test]
async fn an_order_that_is_forgotten_is_not_waited_for_to_the_end() {
    let manner = Manner {
        forgets: true,
        ..Manner::default()
    };
    let mut world = World::new(Version::V3, manner).await;
    let mut pace = pace();
    pace.create = Duration::from_secs(3600);
    pace.patience = Duration::from_millis(300);
    world.client = Client::new(access(&world.platform, Version::V3, PASSWORD), pace).unwrap();
    assert!(matches!(world.up().await, Err(Error::Late { .. })));
}

#[tokio::test]
async fn what_the_platform_refuses_is_passed_on() {
    for version in BOTH {
        let manner = Manner {
            refuse: Some((400, "{\"error\": \"no such resource pool\"}")),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        let error = world.up().await.unwrap_err();
        assert!(
            error.to_string().contains("no such resource pool"),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("capture it anew"));
    }
}

#[tokio::test]
async fn a_name_that_somebody_takes_meanwhile_is_an_error() {
    for version in BOTH {
        let manner = Manner {
            refuse: Some((409, "cluster name is in use")),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        let error = world.up().await.unwrap_err();
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_platform_is_said_to_be_none() {
    for version in BOTH {
        for garbage in ["", "<html>hello</html>", "[1]", "{\"name\": 1}", "null"] {
            let manner = Manner {
                garbage: Some(garbage),
                ..Manner::default()
            };
            let mut world = World::new(version, manner).await;
            let error = world.up().await.unwrap_err();
            assert!(
                matches!(error, Error::Unreadable { .. }),
                "{garbage}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_named() {
    let world = World::new(Version::V2, Manner::default()).await;
    let mut nowhere = access(&world.platform, Version::V2, PASSWORD);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    nowhere.url = format!("https://localhost:{}", free.port());
    let error = Client::new(nowhere.clone(), pace())
        .unwrap()
        .login()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("{} can't be reached", nowhere.url)),
        "{error}"
    );
}
