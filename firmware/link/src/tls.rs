//! TLS 1.3 (RFC 8446) with a broker whose certificate comes from one authority.

use crate::clock::Told;
use bramble_button_settings::Authority;
use embedded_io_async::{Read, Write};
use embedded_tls::pki::CertVerifier;
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, CryptoRngCore, TlsConfig, TlsConnection,
    TlsContext, TlsError, TlsVerifier,
};

/// Bytes of the longest record that a server may send (RFC 8446, 5.2), and its header.
pub const READ: usize = 16_640;
/// Bytes of a record that is sent: the first one says what the client can, messages are shorter.
pub const WRITE: usize = 2_048;
/// Bytes of the server's certificate at most.
const CERTIFICATE: usize = 4_096;

/// What a connection needs; large, so that whoever has little memory keeps one.
pub struct Buffers {
    /// For records that come.
    pub read: [u8; READ],
    /// For records that go.
    pub write: [u8; WRITE],
}

impl Buffers {
    /// Empty ones.
    pub const fn new() -> Self {
        Self {
            read: [0; READ],
            write: [0; WRITE],
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

struct Provider<'a, R> {
    random: R,
    verifier: CertVerifier<'a, Aes128GcmSha256, Told, CERTIFICATE>,
}

impl<R: CryptoRngCore> CryptoProvider for Provider<'_, R> {
    type CipherSuite = Aes128GcmSha256;
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.random
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// Opens TLS over a connection. The server's certificate must come from the authority, be for this DNS name, and be valid
/// now ([`crate::clock::set`] must have been called).
///
/// # Errors
/// Why there is no connection.
pub(crate) async fn encrypted<'a, S: Read + Write + 'a>(
    stream: S,
    buffers: &'a mut Buffers,
    host: &str,
    authority: &Authority,
    random: impl CryptoRngCore,
) -> Result<TlsConnection<'a, S, Aes128GcmSha256>, TlsError> {
    if <Told as embedded_tls::TlsClock>::now().is_none() {
        // Without a time the library would take a certificate of any age.
        return Err(TlsError::InvalidCertificate);
    }
    let mut tls = TlsConnection::new(stream, &mut buffers.read, &mut buffers.write);
    let config = TlsConfig::new().with_server_name(host);
    let provider = Provider {
        random,
        verifier: CertVerifier::new(Certificate::X509(authority.der())),
    };
    tls.open(TlsContext::new(&config, provider)).await?;
    Ok(tls)
}
