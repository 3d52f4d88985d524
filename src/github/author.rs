//! Whose words are believed.

use serde::Deserialize;

/// Who wrote a comment or opened an issue.
#[derive(Deserialize)]
pub struct Author {
    user: Option<User>,
    author_association: Option<String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Author {
    pub fn is_bot(&self) -> bool {
        self.user.as_ref().and_then(|u| u.kind.as_deref()) == Some("Bot")
    }

    /// Whether it is a bot, or a person of the repository. Everyone can write our marker, a token with write access
    /// may edit everyone's comments, and an issue template can give everybody's issue our label: the report must not
    /// end up where an outsider can go on editing it, and what an outsider's text remembers is not believed.
    pub fn is_trusted(&self) -> bool {
        let association = self.author_association.as_deref().unwrap_or("NONE");
        self.is_bot() || matches!(association, "OWNER" | "MEMBER" | "COLLABORATOR")
    }
}
