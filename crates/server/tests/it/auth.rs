//! Who is let in.

use bramble_secret::Secret;
use bramble_server::auth::{Auth, By, Caller, Error};
use bramble_store::record::{Role, Session, Token};
use bramble_store::{Document, Key, Kind, Sqlite, Store, Typed};
use serde_json::json;
use std::sync::Arc;

async fn auth() -> (tempfile::TempDir, Arc<Sqlite>, Auth) {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("b.db")).await.unwrap();
    let store = Arc::new(store);
    (folder, store.clone(), Auth::new(store))
}

fn password(text: &str) -> Secret {
    Secret::new(text)
}

fn good() -> Secret {
    password("correct horse")
}

async fn anna(auth: &Auth) -> Caller {
    auth.make_user("anna", &good(), Role::Admin).await.unwrap();
    let cookie = auth.log_in("anna", &good()).await.unwrap().cookie;
    auth.by_cookie(cookie.expose()).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_first_link_makes_one_admin_and_no_second() {
    let (_folder, _store, auth) = auth().await;
    let old = auth.first_link("one").await.unwrap().unwrap();
    // Each of several daemons has its own.
    let link = auth.first_link("two").await.unwrap().unwrap();
    auth.first_link("one").await.unwrap().unwrap();
    let first = |link: Secret, name: &'static str| {
        let auth = auth.clone();
        async move { auth.make_first(link.expose(), name, &good()).await }
    };
    assert!(
        matches!(first(old, "eve").await, Err(Error::Link)),
        "only the last one of a daemon"
    );
    let (a, b) = tokio::join!(first(link.clone(), "anna"), first(link.clone(), "eve"));
    assert_eq!(u8::from(a.is_ok()) + u8::from(b.is_ok()), 1);
    assert!(matches!(first(link, "eve").await, Err(Error::Link)));
    assert!(auth.first_link("one").await.unwrap().is_none());
    let people = auth.people().await.unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].role, Role::Admin);
}

#[tokio::test]
async fn a_session_lasts_until_it_is_ended() {
    let (_folder, _store, auth) = auth().await;
    auth.make_user("bob", &good(), Role::Operator)
        .await
        .unwrap();
    let logged_in = auth.log_in("bob", &good()).await.unwrap();
    let cookie = logged_in.cookie.expose();
    let caller = auth.by_cookie(cookie).await.unwrap().unwrap();
    assert_eq!((caller.name.as_str(), caller.role), ("bob", Role::Operator));
    assert!(auth.by_cookie("else").await.unwrap().is_none());
    let By::Session(session) = caller.by else {
        panic!("by a session");
    };
    auth.log_out(&session).await.unwrap();
    assert!(auth.by_cookie(cookie).await.unwrap().is_none());
}

#[tokio::test]
async fn who_is_wrong_is_not_told_where() {
    let (_folder, _store, auth) = auth().await;
    auth.make_user("bob", &good(), Role::Viewer).await.unwrap();
    let long = "x".repeat(100_000);
    for (name, word) in [
        ("bob", "wrong horse"),
        ("nobody", "correct horse"),
        ("bob", long.as_str()),
    ] {
        let error = auth.log_in(name, &password(word)).await.err().unwrap();
        assert!(matches!(error, Error::Wrong), "{error:?}");
    }
}

#[tokio::test]
async fn nothing_that_lets_in_is_kept() {
    let (_folder, store, auth) = auth().await;
    let caller = anna(&auth).await;
    let cookie = auth.log_in("anna", &good()).await.unwrap().cookie;
    let token = auth
        .make_token(&caller, "ci", Role::Viewer, None)
        .await
        .unwrap();
    let secret = token.token.expose().rsplit_once('_').unwrap().1.to_owned();
    for kind in Kind::ALL {
        for document in store.list(kind).await.unwrap() {
            let text = format!("{} {}", document.key, document.body);
            for secret in [cookie.expose(), &secret, good().expose()] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_may_never_do_more_than_its_user() {
    let (_folder, _store, auth) = auth().await;
    let caller = anna(&auth).await;
    auth.make_user("root", &good(), Role::Admin).await.unwrap();
    let token = auth
        .make_token(&caller, "ci", Role::Operator, None)
        .await
        .unwrap();
    let found = auth.by_token(token.token.expose()).await.unwrap().unwrap();
    assert_eq!((found.name.as_str(), found.role), ("anna", Role::Operator));
    auth.make_user("vera", &good(), Role::Viewer).await.unwrap();
    let cookie = auth.log_in("vera", &good()).await.unwrap().cookie;
    let vera = auth.by_cookie(cookie.expose()).await.unwrap().unwrap();
    let more = auth.make_token(&vera, "more", Role::Operator, None).await;
    assert!(matches!(more, Err(Error::TooMuch)));
    auth.change_role("anna", Role::Viewer).await.unwrap();
    let found = auth.by_token(token.token.expose()).await.unwrap().unwrap();
    assert_eq!(found.role, Role::Viewer);
    for wrong in ["", "brt_", "brt_x_y", &format!("{}x", token.token.expose())] {
        assert!(auth.by_token(wrong).await.unwrap().is_none(), "{wrong}");
    }
    let other = auth.delete_token(&token.id, Some("root")).await;
    assert!(other.is_err(), "it is not theirs");
    auth.delete_token(&token.id, Some("anna")).await.unwrap();
    assert!(auth.by_token(token.token.expose()).await.unwrap().is_none());
}

/// Who finds a token has it until it ends or is deleted, and nothing that lasts longer.
#[tokio::test]
async fn a_token_makes_no_token() {
    let (_folder, _store, auth) = auth().await;
    let caller = anna(&auth).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let token = auth
        .make_token(&caller, "ci", Role::Admin, Some(soon))
        .await
        .unwrap();
    let found = auth.by_token(token.token.expose()).await.unwrap().unwrap();
    for end in [None, Some(soon)] {
        let more = auth.make_token(&found, "more", Role::Viewer, end).await;
        assert!(matches!(more, Err(Error::ByToken)));
    }
    assert_eq!(auth.tokens(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn tokens_and_sessions_end_in_time() {
    let (_folder, store, auth) = auth().await;
    let caller = anna(&auth).await;
    let past: jiff::Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let late = auth
        .make_token(&caller, "ci", Role::Viewer, Some(past))
        .await;
    assert!(matches!(late, Err(Error::Past)));
    let token = auth
        .make_token(&caller, "ci", Role::Viewer, None)
        .await
        .unwrap();
    let cookie = auth.log_in("anna", &good()).await.unwrap().cookie;
    let (token, cookie) = (
        (token.id, token.token.expose().to_owned()),
        cookie.expose().to_owned(),
    );
    assert!(auth.by_token(&token.1).await.unwrap().is_some());
    assert!(auth.by_cookie(&cookie).await.unwrap().is_some());
    store
        .change::<Token, Error, _>(&token.0, |it| {
            it.expires = Some(past);
            Ok(())
        })
        .await
        .unwrap();
    for session in store.all::<Session>().await.unwrap() {
        store
            .change::<Session, Error, _>(&session.name, |it| {
                it.expires = past;
                Ok(())
            })
            .await
            .unwrap();
    }
    assert!(auth.by_token(&token.1).await.unwrap().is_none());
    assert!(auth.by_cookie(&cookie).await.unwrap().is_none());
    // They don't stay for ever either.
    auth.log_in("anna", &good()).await.unwrap();
    assert!(auth.tokens(None).await.unwrap().is_empty());
    assert_eq!(store.list(Kind::Session).await.unwrap().len(), 1);
}

#[tokio::test]
async fn somebody_stays_who_can_change_things() {
    let (_folder, _store, auth) = auth().await;
    anna(&auth).await;
    let refused = auth.delete_user("anna").await;
    assert!(matches!(refused, Err(Error::LastAdmin(_))));
    let refused = auth.change_role("anna", Role::Viewer).await;
    assert!(matches!(refused, Err(Error::LastAdmin(_))));
    auth.make_user("bob", &good(), Role::Admin).await.unwrap();
    auth.delete_user("anna").await.unwrap();
    let gone = auth.delete_user("nobody").await;
    assert!(gone.is_err());
}

/// As by two daemons that share a store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_admins_who_delete_each_other_at_two_daemons_one_stays() {
    let (_folder, store, one) = auth().await;
    let two = Auth::new(store.clone());
    for round in 0..8 {
        for name in ["anna", "bob"] {
            let made = one.make_user(name, &good(), Role::Admin).await;
            assert!(made.is_ok() || round > 0, "{made:?}");
        }
        let (a, b) = match round % 2 {
            0 => tokio::join!(one.delete_user("anna"), two.delete_user("bob")),
            _ => tokio::join!(
                one.change_role("anna", Role::Viewer),
                two.delete_user("bob")
            ),
        };
        let people = one.people().await.unwrap();
        let admins = people.iter().filter(|p| p.role == Role::Admin).count();
        assert_eq!(admins, 1, "{people:?} {a:?} {b:?}");
        assert!(a.is_ok() || b.is_ok());
        one.change_role("anna", Role::Admin).await.ok();
    }
}

/// A daemon that was killed between note and change.
#[tokio::test]
async fn a_note_that_stayed_is_old_soon() {
    let (_folder, store, auth) = auth().await;
    anna(&auth).await;
    auth.make_user("bob", &good(), Role::Admin).await.unwrap();
    let key = Key::new(Kind::Setting, "leaving-admins");
    let now = jiff::Timestamp::now();
    let note = |since: jiff::Timestamp| json!({ "names": { "bob": since } });
    let noted = store.create(&key, note(now)).await.unwrap();
    let refused = auth.delete_user("anna").await;
    assert!(matches!(refused, Err(Error::LastAdmin(_))), "{refused:?}");
    let old = now - jiff::SignedDuration::from_mins(2);
    let body = note(old);
    store.replace(&Document { body, ..noted }).await.unwrap();
    auth.delete_user("anna").await.unwrap();
}

#[tokio::test]
async fn a_changed_password_ends_what_the_old_one_opened() {
    let (_folder, _store, auth) = auth().await;
    let caller = anna(&auth).await;
    let By::Session(mine) = &caller.by else {
        panic!("by a session");
    };
    let other = auth.log_in("anna", &good()).await.unwrap().cookie;
    auth.change_password("anna", &password("battery staple"), Some(mine))
        .await
        .unwrap();
    assert!(auth.by_cookie(other.expose()).await.unwrap().is_none());
    assert!(auth.log_in("anna", &good()).await.is_err());
    let easy = auth.change_password("anna", &password("short"), None).await;
    assert!(matches!(easy, Err(Error::Password)));
}

#[tokio::test]
async fn names_can_stand_in_a_path_and_a_log() {
    let (_folder, _store, auth) = auth().await;
    for wrong in [
        "",
        "Anna",
        "a/b",
        "../x",
        "a b",
        "a\nb",
        "-a",
        &"a".repeat(41),
    ] {
        let refused = auth.make_user(wrong, &good(), Role::Viewer).await;
        assert!(matches!(refused, Err(Error::Name)), "{wrong:?}");
    }
    auth.make_user("anna.b@home_1", &good(), Role::Viewer)
        .await
        .unwrap();
}
