//! Why an engine stops by itself.

use crate::application::ApplicationError;
use std::error::Error;
use std::sync::Arc;

/// Why a running engine has stopped without being asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineFault {
    /// The application can't apply a final block, or not durably.
    #[error("block {height} could not be applied: {error}")]
    Application {
        /// The block's height.
        height: u64,
        /// What the application said.
        error: Arc<dyn Error + Send + Sync>,
    },
    /// Whoever remembers this validator's own votes can't.
    #[error("{0}")]
    Witness(Arc<dyn Error + Send + Sync>),
    /// A part of the engine, its store or its network.
    #[error("{0}")]
    Engine(String),
}

impl EngineFault {
    pub(crate) fn application(height: u64, error: ApplicationError) -> Self {
        Self::Application { height, error: Arc::from(error) }
    }

    pub(crate) fn witness(error: ApplicationError) -> Self {
        Self::Witness(Arc::from(error))
    }

    /// The error of the application or of the witness that stopped the engine, as it was given: for whoever knows its
    /// type.
    pub fn cause<E: Error + 'static>(&self) -> Option<&E> {
        match self {
            Self::Application { error, .. } | Self::Witness(error) => error.downcast_ref(),
            Self::Engine(_) => None,
        }
    }
}

impl From<String> for EngineFault {
    fn from(why: String) -> Self {
        Self::Engine(why)
    }
}

impl From<&str> for EngineFault {
    fn from(why: &str) -> Self {
        Self::Engine(why.to_owned())
    }
}
