//! `veilgrid validators endorse`.

use super::propose::describe;
use super::{EndorseArgs, ask, client, list};
use crate::failure::Failure;
use crate::output;
use rand_core::OsRng;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use veilgrid_node::config::{HttpConfig, ValidatorConfig, load};
use veilgrid_node::keyfile::{self, ValidatorKeys};
use veilgrid_node::passphrase;
use veilgrid_node::roster::{Endorsed, Proposal, Standing};

/// Whose key signs, and which node says what is in force.
struct Own {
    key_file: PathBuf,
    passphrase_file: Option<PathBuf>,
    url: String,
    ca_file: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    validator: u16,
    added: bool,
    #[serde(flatten)]
    standing: Standing,
}

pub(super) fn run(args: &EndorseArgs) -> Result<(), Failure> {
    let own = own(args)?;
    let mut proposal = Proposal::read(&args.file).map_err(Failure::input)?;
    let set = ask(&client(&own.url, own.ca_file.as_deref())?)?;
    proposal.check_against(&set).map_err(|error| Failure::file(&args.file, error))?;
    // Before the passphrase is typed: it says yes to what is shown here.
    if !args.json {
        describe(&proposal);
    }
    let passphrase =
        passphrase::existing(own.passphrase_file.as_deref(), &own.key_file).map_err(Failure::input)?;
    let (_, keys) = keyfile::open::<ValidatorKeys>(&own.key_file, &passphrase).map_err(Failure::input)?;
    let endorsed = proposal.endorse(&keys, &mut OsRng).map_err(Failure::input)?;
    let (validator, added) = match endorsed {
        Endorsed::Added(validator) => (validator, true),
        Endorsed::Already(validator) => (validator, false),
    };
    if added {
        proposal.replace(&args.file).map_err(Failure::input)?;
    }
    let standing = proposal.standing().map_err(Failure::input)?;
    if args.json {
        return output::json(&Report { validator, added, standing });
    }
    output::line(match added {
        true => format!("signed as validator {validator} in {}", args.file.display()),
        false => format!("validator {validator} had signed {} before", args.file.display()),
    });
    tell(&standing);
    Ok(())
}

/// How far the proposal is.
fn tell(standing: &Standing) {
    let Standing { needed, valid, invalid, missing } = standing;
    if !invalid.is_empty() {
        output::line(format!("false signatures of validators {}: they count nothing", list(invalid)));
    }
    output::line(match standing.is_enough() {
        true => format!(
            "signed by validators {}: enough ({needed} are needed); hand it in with `veilgrid validators submit`",
            list(valid)
        ),
        false => format!(
            "signed by validators {} of {needed} that are needed; validators {} have not signed",
            list(valid),
            list(missing)
        ),
    });
}

fn own(args: &EndorseArgs) -> Result<Own, Failure> {
    let config: Option<ValidatorConfig> =
        args.config.as_deref().map(|path| load(path, &Vec::new())).transpose().map_err(Failure::input)?;
    let config = config.as_ref();
    let key_file = args.key_file.clone().or_else(|| Some(config?.key_file.clone()));
    let url = args.url.clone().or_else(|| Some(address_of(&config?.http)));
    let (Some(key_file), Some(url)) = (key_file, url) else {
        return Err(Failure::Input(
            "name the validator's configuration (--config), or --key-file and --url".into(),
        ));
    };
    Ok(Own {
        key_file,
        url,
        passphrase_file: args.passphrase_file.clone().or_else(|| config?.passphrase_file.clone()),
        ca_file: args.reach.ca_file.clone().or_else(|| config?.ca_file.clone()),
    })
}

/// Where this machine reaches its own validator.
fn address_of(http: &HttpConfig) -> String {
    let mut address = http.listen;
    if address.ip().is_unspecified() {
        let is_v6 = address.is_ipv6();
        address.set_ip(if is_v6 { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { IpAddr::V4(Ipv4Addr::LOCALHOST) });
    }
    let scheme = if http.tls().is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_validator_is_asked_where_it_listens() {
        let at = |listen: &str, tls: Option<&str>| {
            address_of(&HttpConfig {
                listen: listen.parse().expect("an address"),
                tls_certificate: tls.map(Into::into),
                tls_key: tls.map(Into::into),
            })
        };
        assert_eq!(at("0.0.0.0:8101", None), "http://127.0.0.1:8101");
        assert_eq!(at("[::]:8101", None), "http://[::1]:8101");
        assert_eq!(at("192.0.2.7:8101", Some("a.pem")), "https://192.0.2.7:8101");
    }
}
