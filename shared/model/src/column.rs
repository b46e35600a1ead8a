//! Columns and child tables: the mapping from fields of a record to cells of its tables.

/// Column of a production table, and the field of the record that fills it.
#[derive(Debug)]
pub struct Column {
    /// Name of the column.
    pub name: &'static str,
    /// Path of the field inside the record, outermost first; empty for a column that a rule derives.
    pub path: &'static [&'static str],
    /// Type of the values.
    pub column_type: ColumnType,
    /// Marks a column that people maintain in production: an empty value from the API never overwrites it.
    pub protected: bool,
    /// Name of the entity whose ids the column holds.
    pub references: Option<&'static str>,
}

/// Type of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Any text; the empty text is stored as null.
    Text,
    /// Signed 32-bit whole number.
    Int,
    /// Boolean, or null where the source does not know.
    Bool,
    /// Instant with a time zone, in UTC.
    Timestamp,
    /// Calendar day without a time zone.
    Date,
    /// List of texts, never null.
    TextArray,
    /// Decimal number of any precision.
    Number,
    /// Amount of money. The source states whole minor units; a rule converts it to units of its currency.
    Money,
    /// Time of day without a time zone.
    Time,
    /// JSON document of any shape.
    Json,
}

impl ColumnType {
    /// Returns the SQL type.
    #[must_use]
    pub const fn sql_type(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Bool => "boolean",
            Self::Timestamp => "timestamptz",
            Self::Date => "date",
            Self::TextArray => "text[]",
            Self::Number | Self::Money => "numeric",
            Self::Time => "time",
            Self::Json => "jsonb",
        }
    }
}

impl Column {
    /// Returns a column filled from the field at `path`.
    #[must_use]
    pub const fn new(name: &'static str, column_type: ColumnType, path: &'static [&'static str]) -> Self {
        Self { name, path, column_type, protected: false, references: None }
    }

    /// Returns a column that a rule of the entity derives.
    #[must_use]
    pub const fn derived(name: &'static str, column_type: ColumnType) -> Self {
        Self::new(name, column_type, &[])
    }

    /// Returns a column that holds the id of the parent record, for an entity nested in another one.
    #[must_use]
    pub const fn parent(name: &'static str) -> Self {
        Self::new(name, ColumnType::Text, PARENT_ID_PATH)
    }

    /// Marks the column as maintained by people: an empty value from the API does not overwrite it.
    #[must_use]
    pub const fn protected(mut self) -> Self {
        self.protected = true;
        self
    }

    /// Makes the column a reference to a record of `entity`.
    #[must_use]
    pub const fn references(mut self, entity: &'static str) -> Self {
        self.references = Some(entity);
        self
    }
}

/// Path of a column that is filled with the id of the parent record.
pub(crate) const PARENT_ID_PATH: &[&str] = &["$parent"];

/// Returns the index of the column with that name.
pub(crate) fn column_index(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}

/// Table for a list inside each record of an entity, such as the items of an invoice.
///
/// The elements have no life of their own: they are written, changed and deleted with the record. The column `line`,
/// their position in the list, distinguishes them.
#[derive(Debug)]
pub struct ChildTable {
    /// Name of the table: `invoice_items`.
    pub table: &'static str,
    /// Column with the id of the record: `invoice_id`.
    pub parent: &'static str,
    /// Field of the record that holds the elements: a list, or a connection requested with `first: $inner`.
    pub field: &'static str,
    /// Columns that the source fills.
    pub columns: &'static [Column],
}
