//! The client: one HTTP library, one TLS provider, nothing global.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use elpis_run::fsx;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientOptions, RetryConfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::options::S3Options;
use crate::store::StoreError;

/// For a connection, and for one request: a part must arrive in that time.
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(300);

pub(super) fn client(options: &S3Options) -> Result<AmazonS3, StoreError> {
    let is_plain = match options.endpoint.as_deref() {
        Some(endpoint) => is_plain_loopback(endpoint)?,
        None => false,
    };
    let http = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .no_proxy()
        .https_only(!is_plain)
        .tls_backend_preconfigured(tls(options)?)
        .build()
        .map_err(|error| settings("the HTTP client", error))?;
    let access = &options.access;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&options.address.bucket)
        .with_region(&options.region)
        .with_access_key_id(&access.key_id)
        .with_secret_access_key(access.secret.expose())
        .with_virtual_hosted_style_request(!options.path_style)
        .with_allow_http(is_plain)
        .with_retry(RetryConfig {
            retry_timeout: options.patience,
            ..RetryConfig::default()
        })
        .with_http_connector(Ready(http));
    if let Some(token) = &access.session_token {
        builder = builder.with_token(token.expose());
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    builder
        .build()
        .map_err(|error| settings(&options.address.to_string(), error))
}

/// Whether an endpoint is on loopback and without TLS, which is good enough there.
fn is_plain_loopback(endpoint: &str) -> Result<bool, StoreError> {
    if endpoint.starts_with("https://") {
        return Ok(false);
    }
    let wrong = |why| Err(settings(endpoint, why));
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return wrong("must begin with https://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    match host {
        "127.0.0.1" | "[::1]" | "localhost" => Ok(true),
        _ => wrong("without TLS only on loopback: use https://"),
    }
}

fn tls(options: &S3Options) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unusable = |error: rustls::Error| settings("TLS", error);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let Some(path) = &options.certificates else {
        let builder = builder.with_platform_verifier().map_err(unusable)?;
        return Ok(builder.with_no_client_auth());
    };
    let what = path.display().to_string();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(fsx::read_to_string(path)?.as_bytes()) {
        let certificate = certificate.map_err(|error| settings(&what, error))?;
        roots
            .add(certificate)
            .map_err(|error| settings(&what, error))?;
    }
    if roots.is_empty() {
        return Err(settings(&what, "holds no certificate"));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn settings(what: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Settings {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

/// Hands out the client that was made here, instead of one that looks for a global provider.
#[derive(Debug)]
struct Ready(reqwest::Client);

impl HttpConnector for Ready {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Once(self.0.clone())))
    }
}

/// A client whose refusal of a certificate is final: asking again for minutes changes nothing.
#[derive(Debug)]
struct Once(reqwest::Client);

/// Somebody answers who cannot prove to be the service.
#[derive(Debug, thiserror::Error)]
#[error(
    "the certificate of the service is refused; its authority must be one of this machine's, or \
     be named in the settings"
)]
struct Refused(#[source] HttpError);

impl HttpService for Once {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let answer = self.0.call(request).await;
            answer.map_err(|error| match is_about_certificates(&error) {
                true => HttpError::new(HttpErrorKind::Unknown, Refused(error)),
                false => error,
            })
        })
    }
}

fn is_about_certificates(error: &HttpError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // An error of the line does not name the one inside it as its source.
        cause = match error.downcast_ref::<std::io::Error>() {
            Some(line) => line.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_no_further_than_loopback() {
        for (endpoint, plain) in [
            ("https://s3.example.org", Some(false)),
            ("http://127.0.0.1:9000", Some(true)),
            ("http://localhost", Some(true)),
            ("http://[::1]:1/", Some(true)),
            ("http://127.0.0.1.example.org", None),
            ("http://10.0.0.1:9000", None),
            ("s3.example.org", None),
        ] {
            assert_eq!(is_plain_loopback(endpoint).ok(), plain, "{endpoint}");
        }
    }
}
