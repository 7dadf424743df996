use crate::platform::{Manner, PASSWORD, Platform};
use crate::world::{BOTH, World, access, pace};
use bramble_ccp::{Client, Error, Version};

#[tokio::test]
async fn a_session_that_ends_is_begun_anew() {
    for version in BOTH {
        let manner = Manner {
            session_requests: Some(2),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        world.up().await.unwrap();
        assert!(world.platform.record(|record| record.logins) > 1);
        assert_eq!(world.orders().len(), 1, "the order was made once");
    }
}

#[tokio::test]
async fn a_session_that_is_never_good_is_an_error() {
    for version in BOTH {
        let manner = Manner {
            session_requests: Some(0),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        let error = world.up().await.unwrap_err();
        assert!(
            matches!(error, Error::Refused { status: 401, .. }),
            "{error}"
        );
        assert_eq!(world.platform.record(|record| record.logins), 1);
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    for version in BOTH {
        let platform = Platform::start(Manner::default()).await;
        let client = Client::new(access(&platform, version, "wr0ng-password"), pace()).unwrap();
        let error = client.clusters().await.unwrap_err();
        assert!(matches!(error, Error::Login { .. }), "{error}");
        assert!(error.hint().unwrap().contains("passwordFile"));
        let shown = format!(
            "{error} {error:?} {:?}",
            access(&platform, version, "wr0ng-password")
        );
        assert!(!shown.contains("wr0ng"), "{shown}");
        assert_eq!(
            platform.record(|record| record.logins),
            1,
            "a lock-out is not asked for"
        );
    }
}

#[tokio::test]
async fn secrets_that_the_platform_repeats_are_not_in_the_error() {
    for version in BOTH {
        let said: &'static str =
            Box::leak(format!("who sends {PASSWORD} and token-1?").into_boxed_str());
        let manner = Manner {
            refuse: Some((400, said)),
            ..Manner::default()
        };
        let mut world = World::new(version, manner).await;
        let error = world.up().await.unwrap_err().to_string();
        assert!(error.contains("who sends *** and ***?"), "{error}");
    }
}

#[tokio::test]
async fn a_platform_whose_certificate_is_from_elsewhere_gets_no_password() {
    let platform = Platform::start(Manner::default()).await;
    let another = bramble_keys::authority("another").unwrap();
    for authorities in [Some(another.certificate), None] {
        let mut access = access(&platform, Version::V2, PASSWORD);
        access.authorities = authorities;
        let error = Client::new(access, pace())
            .unwrap()
            .login()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert!(error.hint().unwrap().contains("caFile"));
        assert_eq!(platform.record(|record| record.logins), 0);
    }
}

#[tokio::test]
async fn authorities_that_are_none_are_said() {
    let platform = Platform::start(Manner::default()).await;
    let mut access = access(&platform, Version::V2, PASSWORD);
    access.authorities = Some("no certificate".into());
    assert!(matches!(
        Client::new(access, pace()),
        Err(Error::Setup { .. })
    ));
}
