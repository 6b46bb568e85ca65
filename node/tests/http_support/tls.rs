//! TLS: the server's certificate, and whom clients trust.

use super::http_support::{World, options, run};
use reqwest::{Certificate, Client};
use std::path::Path;
use veilgrid_node::client::{Client as NodeClient, ClientError, ClientOptions};
use veilgrid_node::http::{HttpError, HttpOptions, HttpServer};

#[test]
fn it_speaks_tls_with_certificate_and_key_and_does_not_start_with_others() {
    run(async || {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let (certificate, key) = (data.join("test-only-certificate.pem"), data.join("test-only-key.pem"));
        let with = |tls| HttpOptions { tls: Some(tls), ..options() };
        let w = World::new(with((certificate.clone(), key.clone())));
        let trusted = Certificate::from_pem(&std::fs::read(&certificate).expect("read")).expect("PEM");
        let client = Client::builder().no_proxy().add_root_certificate(trusted).build().expect("client");
        let url = format!("https://{}/v1/healthz", w.address());
        assert_eq!(client.get(&url).send().await.expect("an answer").status(), 200);
        assert!(w.client.get(&url).send().await.is_err(), "nobody else's authority has signed it");
        for tls in [(key.clone(), key.clone()), (certificate.clone(), certificate), (data.join("none"), key)]
        {
            let services = w.services_without_intake();
            assert!(matches!(HttpServer::start(with(tls), services), Err(HttpError::Tls { .. })));
        }
        let taken = HttpOptions { listen: w.address(), ..options() };
        let refused = HttpServer::start(taken, w.services_without_intake());
        assert!(matches!(refused, Err(HttpError::Listen { .. })));
    });
}

#[test]
fn a_node_trusts_an_authority_of_its_own_when_it_is_told_to() {
    run(async || {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let (certificate, key) = (data.join("test-only-certificate.pem"), data.join("test-only-key.pem"));
        let w = World::new(HttpOptions { tls: Some((certificate.clone(), key)), ..options() });
        let url = format!("https://{}", w.address());
        let asked = async |ca_file: Option<&Path>| {
            let options = ClientOptions::default().trusting(ca_file);
            NodeClient::new(&url, &options).expect("a client").status().await
        };
        assert_eq!(asked(Some(&certificate)).await.expect("an answer").role, "validator");
        assert!(matches!(asked(None).await, Err(ClientError::Unreachable { .. })), "no public authority's");
    });
}
