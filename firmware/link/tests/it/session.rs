use crate::broker::{Broker, NAME, PASSWORD, USER, Validity, certificates};
use crate::button::{Button, Told, board, told_the_time};
use bramble_button::signed::{HANDLER_TOPIC, request_topic};
use bramble_button::{Failure, Message};
use bramble_button_settings::parse;
use std::time::Duration;

#[tokio::test]
async fn messages_go_and_come() {
    for encrypted in [false, true] {
        let broker = Broker::start();
        let button = Button::new(&broker, encrypted);
        let (status, request) = (button.status(), request_topic(&button.board.button.id));
        let ended = button
            .with(|mut heard, say| {
                let (broker, button) = (&broker, &button);
                async move {
                    assert_eq!(heard.recv().await, Some(Told::Up), "encrypted: {encrypted}");
                    // Longer than what the link moves at once.
                    let long = vec![b'x'; 700];
                    for payload in [b"short".to_vec(), long] {
                        broker.publish(&status, &payload, false);
                        assert_eq!(
                            heard.recv().await,
                            Some(Told::Heard(status.clone(), payload.clone()))
                        );
                        let listening = broker.listen(&request);
                        // The listener has to be there first; a request is repeated until it is.
                        let heard = tokio::task::spawn_blocking(move || listening.heard());
                        while !heard.is_finished() {
                            say.send(button.message(&payload)).unwrap();
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        assert_eq!(heard.await.unwrap(), payload);
                    }
                }
            })
            .await;
        assert_eq!(ended, None, "encrypted: {encrypted}");
    }
}

#[tokio::test]
async fn what_the_broker_kept_is_heard_from_both_topics() {
    let broker = Broker::start();
    let button = Button::new(&broker, true);
    broker.publish(&button.status(), b"result", true);
    broker.publish(HANDLER_TOPIC, b"there", true);
    let ended = button
        .with(|mut heard, _say| async move {
            let mut all = Vec::new();
            while all.len() < 2 {
                if let Told::Heard(topic, payload) = heard.recv().await.unwrap() {
                    all.push((topic, payload));
                }
            }
            all.sort();
            assert_eq!(
                all[0],
                ("bramble/v2/dash01/status".to_owned(), b"result".to_vec())
            );
            assert_eq!(all[1], (HANDLER_TOPIC.to_owned(), b"there".to_vec()));
        })
        .await;
    assert_eq!(ended, None);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let broker = Broker::start();
    for encrypted in [false, true] {
        let mut button = Button::new(&broker, encrypted);
        button.board = board("another", encrypted.then_some(&broker.authority), NAME);
        assert_eq!(button.ends().await, Failure::Refused);
    }
}

#[tokio::test]
async fn a_broker_that_is_not_the_right_one_gets_nothing() {
    let broker = Broker::start();
    let (other, _, _) = certificates(Validity::Now);
    for (authority, name) in [(&other, NAME), (&broker.authority, "other.home.arpa")] {
        let mut button = Button::new(&broker, true);
        button.board = board(PASSWORD, Some(authority), name);
        assert_eq!(button.ends().await, Failure::Refused, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_counts_in_its_time_alone() {
    for validity in [Validity::Over, Validity::Later] {
        let broker = Broker::with(certificates(validity));
        let failure = Button::new(&broker, true).ends().await;
        assert_eq!(failure, Failure::Refused, "{validity:?}");
    }
}

#[tokio::test]
async fn a_broker_that_dies_is_noticed() {
    for encrypted in [false, true] {
        let mut broker = Broker::start();
        let button = Button::new(&broker, encrypted);
        let broker = &mut broker;
        let ended = button
            .with(|mut heard, _say| async move {
                assert_eq!(heard.recv().await, Some(Told::Up));
                broker.kill();
                std::future::pending::<()>().await;
            })
            .await;
        assert_eq!(ended, Some(Failure::Unreachable));
    }
}

#[tokio::test]
async fn what_is_no_broker_is_unreachable() {
    told_the_time();
    let broker = Broker::start();
    for encrypted in [false, true] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut button = Button::new(&broker, encrypted);
        button.address = listener.local_addr().unwrap();
        let talk = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        };
        let (failure, ()) = tokio::join!(button.ends(), talk);
        assert_eq!(failure, Failure::Unreachable);
    }
}

#[tokio::test]
async fn an_old_handler_is_heard_and_answered_on_the_one_topic() {
    let broker = Broker::start();
    let mut button = Button::new(&broker, false);
    let text = format!(
        "id = {USER}\nhandler = MyHandler\ntopic = DashButton\nwifi = x\nbroker = {NAME}\npassword = {PASSWORD}\ntls = off\n"
    );
    button.board = parse(&text).unwrap();
    let ended = button
        .with(|mut heard, say| {
            let broker = &broker;
            async move {
                assert_eq!(heard.recv().await, Some(Told::Up));
                let line = b"12:00:00 MyHandler StatusAvailable".to_vec();
                broker.publish("DashButton", &line, false);
                assert_eq!(
                    heard.recv().await,
                    Some(Told::Heard("DashButton".into(), line))
                );
                let asked = b"12:00:00 dash01 GetStatus".to_vec();
                let payload = asked.iter().copied().collect();
                let topic = "DashButton".try_into().unwrap();
                say.send(Message { topic, payload }).unwrap();
                // The one topic is the button's as well: the broker gives it back.
                assert_eq!(
                    heard.recv().await,
                    Some(Told::Heard("DashButton".into(), asked))
                );
            }
        })
        .await;
    assert_eq!(ended, None);
}
