//! Kinds of records that other records refer to.

/// Entity whose records have ids of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    User,
    Client,
    Piano,
    TimelineEntry,
    /// Entity defined in the registry of models.
    Modelled(ModelId),
}

/// Identity of a model: the name of its mirror table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelId(pub(crate) &'static str);
