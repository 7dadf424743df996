//! The rights that the documentation gives a daemon are enough.

use super::resources::{button, cluster};
use crate::apiserver::ApiServer;
use bramble_store::record::{Button, Cluster, Phase};
use bramble_store::{
    Error, Key, Kind, Kubernetes, KubernetesSettings, Log, Renewal, Store, Terms, Typed,
};
use serde_json::json;

const CHAPTER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/kubernetes-store.md"
);

#[tokio::test]
async fn the_role_of_the_documentation_is_enough_and_needed() {
    let Some(server) = ApiServer::shared() else {
        return;
    };
    let namespace = server.namespace();
    // As the service account.
    let account = format!("as: \"system:serviceaccount:{namespace}:bramble\"");
    let text = std::fs::read_to_string(server.kubeconfig()).unwrap();
    let kubeconfig = server
        .kubeconfig()
        .with_file_name(format!("{namespace}.conf"));
    std::fs::write(
        &kubeconfig,
        text.replace("user: {", &format!("user: {{{account}, ")),
    )
    .unwrap();
    let settings = KubernetesSettings {
        kubeconfig: Some(kubeconfig),
        context: None,
        namespace: Some(namespace.clone()),
    };
    let refused = Kubernetes::connect(&settings).await.err().unwrap();
    assert!(matches!(refused, Error::Forbidden { .. }), "{refused:?}");
    assert!(refused.hint().unwrap().contains("rights"), "{refused}");

    let chapter = std::fs::read_to_string(CHAPTER).unwrap();
    let role = chapter
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let file = server
        .kubeconfig()
        .with_file_name(format!("{namespace}.yaml"));
    std::fs::write(&file, role).unwrap();
    server.says(&["-n", &namespace, "apply", "-f", file.to_str().unwrap()]);

    let store = Kubernetes::connect(&settings).await.unwrap();
    store.add("home", cluster()).await.unwrap();
    store
        .change::<Cluster, Error, _>("home", |it| {
            it.phase = Phase::Ready;
            it.owner = "ben".into();
            Ok(())
        })
        .await
        .unwrap();
    store.hold("home").await.unwrap();
    assert_eq!(store.declared().await.unwrap().len(), 1);
    assert!(
        store
            .delete(&Key::new(Kind::Cluster, "home"), None)
            .await
            .unwrap()
    );
    store.add("b1", button()).await.unwrap();
    let other = store.change::<Button, Error, _>("b1", |it| {
        it.key = "beef".into();
        Ok(())
    });
    other.await.unwrap();
    let log = Log::Run("home-1".into());
    store
        .append(&log, vec!["a".into(), "b".into()])
        .await
        .unwrap();
    store.prune(&log, 1).await.unwrap();
    assert_eq!(store.read(&log, 0, 9).await.unwrap().len(), 1);
    store.forget(&log).await.unwrap();
    let setting = Key::new(Kind::Setting, "x");
    let mut made = store.create(&setting, json!(1)).await.unwrap();
    made.body = json!(2);
    store.replace(&made).await.unwrap();
    assert!(store.delete(&setting, None).await.unwrap());
    let mut lead = store.candidate("a", Terms::default()).lead().await;
    assert_eq!(lead.renew().await, Renewal::Done);
    lead.release().await;
}
