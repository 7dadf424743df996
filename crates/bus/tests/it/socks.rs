//! A SOCKS5 proxy (RFC 1928) that knows one user (RFC 1929), and can be cut off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub const USER: &str = "anna";
pub const PASSWORD: &str = "proxy word";

pub struct Proxy {
    pub address: SocketAddr,
    /// Connections that were passed on.
    pub passed: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let passed = Arc::new(AtomicUsize::new(0));
        let counted = passed.clone();
        let task = tokio::spawn(async move {
            // Connections end with the proxy.
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let counted = counted.clone();
                open.spawn(async move {
                    let _ = pass(stream, &counted).await;
                });
            }
        });
        Self {
            address,
            passed,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("socks5h://{}", self.address)
    }

    /// Cuts all connections.
    pub fn cut(self) {
        self.task.abort();
    }
}

async fn pass(mut inside: TcpStream, passed: &AtomicUsize) -> std::io::Result<()> {
    let mut hello = [0; 2];
    inside.read_exact(&mut hello).await?;
    let mut methods = vec![0; hello[1].into()];
    inside.read_exact(&mut methods).await?;
    if !methods.contains(&2) {
        return inside.write_all(&[5, 0xff]).await;
    }
    inside.write_all(&[5, 2]).await?;
    inside.read_u8().await?;
    let user = word(&mut inside).await?;
    let password = word(&mut inside).await?;
    if (user.as_str(), password.as_str()) != (USER, PASSWORD) {
        return inside.write_all(&[1, 1]).await;
    }
    inside.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    inside.read_exact(&mut request).await?;
    // Only names: what is looked up here is not looked up by the client.
    assert_eq!(request, [5, 1, 0, 3]);
    let host = word(&mut inside).await?;
    let port = inside.read_u16().await?;
    let mut outside = TcpStream::connect((host, port)).await?;
    inside.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    passed.fetch_add(1, Ordering::Relaxed);
    tokio::io::copy_bidirectional(&mut inside, &mut outside).await?;
    Ok(())
}

async fn word(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
