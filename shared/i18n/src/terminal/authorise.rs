//! Texts of `authorise`, on the terminal and in the browser.

/// Request to paste the address to which the browser returned.
pub const PASTE_ADDRESS: &str =
    "Collez ici l'adresse où le navigateur revient (elle contient code=…), ou le code seul :";

/// Page for a callback that belongs to no authorisation of this command.
pub const FOREIGN_CALLBACK_PAGE: &str =
    "<p>Ce retour n'est pas celui qui était attendu : recommencez depuis le terminal.";

/// Page for the callback that was expected.
pub const THANKS_PAGE: &str = "<p>Merci. Vous pouvez fermer cette page et revenir au terminal.";

/// Name of an access level that Gazelle did not tell.
pub const UNKNOWN_ACCESS_LEVEL: &str = "inconnu";

/// Returns the request to open a page of Gazelle and to accept there.
#[must_use]
pub fn open_page(page: &str) -> String {
    format!("Ouvrez cette page, en tant qu'utilisateur ADMIN de Gazelle, et acceptez :\n\n  {page}\n")
}

/// Returns the notice that the command waits for the browser.
#[must_use]
pub fn waiting_for_browser(redirect: &str) -> String {
    format!("J'attends le retour du navigateur sur {redirect} (dix minutes)…")
}

/// Returns the confirmation, with the value that the parameter GazelleAuth of the template must have.
#[must_use]
pub fn authorised(access_level: &str, secret_id: &str, parameter: &str) -> String {
    format!(
        "Autorisé, avec un utilisateur {access_level}. Gardé dans le secret {secret_id} ; le paramètre GazelleAuth doit être {parameter}."
    )
}
