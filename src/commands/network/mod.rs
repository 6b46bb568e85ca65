//! Commands of a network of processes: what runs them, founds them and changes them. Built with the feature `network`, since
//! the demo needs none of their libraries.

mod aggregator;
mod create_genesis;
mod euro;
mod gateway;
mod genesis_details;
mod keys;
mod ledger_source;
mod localnet;
mod orders;
mod participant;
mod process;
mod registrar;
mod treasury;
mod validator;
mod validators;
mod wallet;

use crate::cli::LogArgs;
use crate::failure::Failure;
use aggregator::AggregatorArgs;
use clap::Subcommand;
use create_genesis::{CreateGenesisArgs, GenesisArgs};
use gateway::GatewayArgs;
use keys::KeysArgs;
use localnet::LocalnetArgs;
use orders::OrdersArgs;
use participant::ParticipantArgs;
use registrar::RegistrarArgs;
use treasury::TreasuryArgs;
use validator::ValidatorArgs;
use validators::ValidatorsArgs;
use wallet::WalletArgs;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum NetworkCommand {
    /// Run a validator of a network
    #[command(after_help = "Example:\n  veilgrid localnet --found-only --dir my-net\n  \
        veilgrid validator --config my-net/validator-1/validator.toml\n  \
        VEILGRID_VALIDATOR__LOG=debug veilgrid validator --config my-net/validator-1/validator.toml --print-config\n\n\
        Each key of the file can be set in the environment as VEILGRID_VALIDATOR__KEY (tables with another __). \
        SIGTERM or Ctrl-C stops it in order.")]
    Validator(ValidatorArgs),
    /// Run the aggregator of a network
    #[command(after_help = "Example:\n  veilgrid aggregator --config my-net/aggregator/aggregator.toml\n\n\
        Each key of the file can be set in the environment as VEILGRID_AGGREGATOR__KEY (tables with another __).")]
    Aggregator(AggregatorArgs),
    /// Run a participant of a network, which bids in every round
    #[command(
        after_help = "Example:\n  veilgrid participant --config my-net/participant-001/participant.toml\n  \
        veilgrid participant --config my-net/participant-001/participant.toml --orders orders.csv\n\n\
        Orders are CSV: slot,side,price_ct_per_kwh,quantity_kwh. The slot is the start of delivery in UTC, HH:MM, or * \
        for every slot without rows of its own; the file is read again for every round. A row that can't be bid is named in \
        the log and in data_dir/status.json, and the others are bid; `veilgrid orders check` tells before."
    )]
    Participant(ParticipantArgs),
    /// Run the connectors to what people own (evcc) beside a participant
    #[command(after_help = "Example:\n  veilgrid gateway --config gateway.toml\n\n\
        # gateway.toml\n  \
        validator_urls = [\"https://v1.example:8101\", \"https://v2.example:8101\"]\n  \
        evcc = { listen = \"127.0.0.1:7071\" }\n  \
        [[accounts]]\n  \
        name = \"Home\"\n  \
        account_key = \"5f3a…\"                        # `veilgrid keys show me.keys`\n  \
        results = \"participant/results.csv\"         # in the participant's data_dir\n  \
        own_orders = \"own.csv\"                      # rows that stay as they are\n  \
        orders = \"orders.csv\"                       # the participant's orders: the gateway writes them\n  \
        [[accounts.evcc_loadpoints]]\n  \
        plan_url = \"http://127.0.0.1:7070/api/loadpoints/1/plan\"\n  \
        limit_ct_per_kwh = \"28.5\"\n\n\
        evcc's tariffs read http://127.0.0.1:7071/evcc/buy and /evcc/sell. The gateway sees no key. When it stops, the owner's \
        own rows alone are left in the orders.")]
    Gateway(GatewayArgs),
    /// Check a participant's orders without a network
    #[command(
        after_help = "Example:\n  veilgrid orders check my-net/participant-001/orders.csv --genesis my-net/genesis.bin\n\n\
        Orders are CSV: slot,side,price_ct_per_kwh,quantity_kwh, as `veilgrid participant --help` says."
    )]
    Orders(OrdersArgs),
    /// Run a whole network on this machine, one process each, and watch it
    #[command(after_help = "Example:\n  veilgrid localnet --validators 4 --participants 5 --rounds 3\n  \
        veilgrid localnet --dir my-network --interval-s 60\n\n\
        The second one goes on with the network in my-network if there is one. With --money members have balances, and \
        treasury/keys is for `veilgrid treasury`.")]
    Localnet(LocalnetArgs),
    /// Make key files and print their public parts
    #[command(after_help = "Example:\n  veilgrid keys new --kind participant --out me.keys > me.json")]
    Keys(KeysArgs),
    /// Create the genesis of a network: block 0 from a plan and everybody's public keys
    #[command(
        alias = "found",
        after_help = "Example:\n  veilgrid create-genesis --plan plan.toml --out genesis.bin \\\n    \
        --public v1.json v2.json v3.json v4.json aggregator.json member-1.json member-2.json member-3.json\n\n\
        Nobody hands out a secret: the files hold what `veilgrid keys` printed. `veilgrid localnet` writes an example \
        of a plan."
    )]
    CreateGenesis(CreateGenesisArgs),
    /// Check and print block 0 of a network
    #[command(
        after_help = "Example:\n  veilgrid genesis show my-net/genesis.bin --hash $(cat my-net/genesis.hash)"
    )]
    Genesis(GenesisArgs),
    /// Show the validators of a network, and replace some of them
    #[command(after_help = "Example:\n  veilgrid localnet    # in another terminal\n  \
        veilgrid validators show --url http://127.0.0.1:18001")]
    Validators(ValidatorsArgs),
    /// Show who is a member of a network, enrol members and let them go
    #[command(after_help = "Example:\n  veilgrid localnet    # in another terminal\n  \
        veilgrid registrar members --url http://127.0.0.1:18001")]
    Registrar(RegistrarArgs),
    /// Enter deposits of members, and withdrawals that were paid, on a ledger with money
    #[command(after_help = "Example:\n  veilgrid localnet --money    # in another terminal\n  \
        veilgrid treasury status --url http://127.0.0.1:18001")]
    Treasury(TreasuryArgs),
    /// A member's money: its keys as words, its statement from the ledger, claims and withdrawals
    #[command(
        after_help = "Example:\n  veilgrid wallet new --out me.keys --words-out me.words > me.json\n  \
        veilgrid wallet statement --key-file me.keys --ledger my-net/ledger.vgl"
    )]
    Wallet(WalletArgs),
}

impl NetworkCommand {
    /// Whether it is one that runs until it is stopped, and starts its log after it has read its configuration.
    pub fn is_process(&self) -> bool {
        matches!(self, Self::Validator(_) | Self::Aggregator(_) | Self::Participant(_) | Self::Gateway(_))
    }

    /// Runs the command.
    ///
    /// # Errors
    /// [`Failure`] with the message for the user and the exit code.
    pub fn run(self, logs: &LogArgs) -> Result<(), Failure> {
        match self {
            Self::Validator(args) => validator::run(&args, logs),
            Self::Aggregator(args) => aggregator::run(&args, logs),
            Self::Participant(args) => participant::run(&args, logs),
            Self::Gateway(args) => gateway::run(&args, logs),
            Self::Orders(args) => orders::run(&args),
            Self::Localnet(args) => localnet::run(&args),
            Self::Keys(args) => keys::run(&args),
            Self::CreateGenesis(args) => create_genesis::create(&args),
            Self::Genesis(args) => create_genesis::genesis(&args),
            Self::Validators(args) => validators::run(&args),
            Self::Registrar(args) => registrar::run(&args),
            Self::Treasury(args) => treasury::run(&args),
            Self::Wallet(args) => wallet::run(&args),
        }
    }
}
