//! TLS: the server's certificate, and whom clients trust.

use crate::http_support::{World, options, run, tls_files, tls_options};
use std::path::Path;
use veilgrid_client::{Client as NodeClient, ClientError, ClientOptions};
use veilgrid_node::http::{HttpError, HttpOptions, HttpServer};

#[test]
fn it_speaks_tls_with_certificate_and_key_and_does_not_start_with_others() {
    run(async || {
        let (certificate, key) = tls_files();
        let with = |tls| HttpOptions { tls: Some(tls), ..options() };
        let w = World::new(tls_options());
        assert_eq!(w.get("/v1/healthz").await.status(), 200);
        let other = reqwest::Client::builder().no_proxy().build().expect("client");
        let asked = other.get(w.url("/v1/healthz")).send().await;
        assert!(asked.is_err(), "nobody else's authority has signed it");
        let none = certificate.with_file_name("none");
        for tls in [(key.clone(), key.clone()), (certificate.clone(), certificate), (none, key)] {
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
        let certificate = tls_files().0;
        let w = World::new(tls_options());
        let url = w.url("");
        let asked = async |ca_file: Option<&Path>| {
            let options = ClientOptions::default().trusting(ca_file);
            NodeClient::new(&url, &options).expect("a client").status().await
        };
        assert_eq!(asked(Some(&certificate)).await.expect("an answer").node.role, "validator");
        assert!(matches!(asked(None).await, Err(ClientError::Unreachable { .. })), "no public authority's");
    });
}
