//! The pull request's comment through a run: found or made at the beginning, rewritten in place at each stage, told
//! the result at the end. One for each target, whatever other runs and people do meanwhile.

mod live;
mod mark;
mod target;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    optional::Optional,
    workflow_runs::{Answer, Kind, WorkflowRuns},
};
use crate::{
    event::RunId,
    github::{Comment, Error, GitHub},
    progress::Progress,
    report::{Report, Status, markdown, memory::Memory},
};

pub use live::Follower;
pub use target::Target;

/// Longest time for the last word.
const PATIENCE: Duration = Duration::from_secs(600);
/// A cancelled run has seconds left, and files are still to be written. As the clock goes: whoever kills it won't wait.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long an answer about another run will do.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What is needed to write the comment.
pub struct Place<'a> {
    pub github: &'a GitHub,
    pub pull_request: u64,
    pub target: Target,
    /// This run, by which others' comments are known as earlier or later ones.
    pub run: Option<RunId>,
    /// Confirms the runs that comments name.
    pub runs: WorkflowRuns<'a>,
    /// False: update the comment when there is one, but don't make one.
    pub may_create: bool,
    pub progress: &'a dyn Progress,
}

/// The comment of one target in one run.
pub struct Sticky<'a> {
    place: Place<'a>,
    permission: Optional,
    /// The runs that had signed the comments before this one began to write.
    before: Vec<RunId>,
    /// What the comment that was there keeps of earlier runs.
    memory: Option<Memory>,
    /// The comment that this run has written.
    own: Option<u64>,
    /// Page of the comment, whoever wrote it.
    url: Option<String>,
    /// A newer run tells of the target what there is to tell.
    gave_way: bool,
    /// That GitHub doesn't say who we are was reported.
    warned_of_identity: bool,
}

impl<'a> Sticky<'a> {
    pub fn new(place: Place<'a>) -> Self {
        Self {
            place,
            permission: Optional::new(
                "the comment on the pull request was not written",
                "pull-requests: write",
            ),
            before: Vec::new(),
            memory: None,
            own: None,
            url: None,
            gave_way: false,
            warned_of_identity: false,
        }
    }

    /// The report, with what the comment keeps of earlier runs.
    pub fn remembering(&self, report: &Report) -> Report {
        Report {
            memory: self.memory.clone().unwrap_or_default(),
            ..report.clone()
        }
    }

    /// What stands in the comment's hidden line.
    pub fn key(&self) -> String {
        self.place.target.key()
    }

    /// Writes how the run ended; the comment's page, if there is one. What goes wrong is told, if nothing was before.
    pub async fn deliver(&mut self, report: &Report) -> Option<String> {
        // After a refusal there is nothing to be tried, unless a comment of this run's would stay as it is.
        if self.permission.is_refused() && self.own.is_none() {
            return None;
        }
        let limit = match report.status {
            Status::Cancelled => LAST_WORDS,
            _ => PATIENCE,
        };
        let Ok(outcome) = tokio::time::timeout(limit, self.write(report)).await else {
            let why = "GitHub did not answer in time";
            self.permission.tell(self.place.progress, why);
            return self.url.clone();
        };
        self.permission
            .insist(self.place.progress, async { outcome })
            .await?;
        self.url.clone()
    }

    /// Writes the comment as the report is now, unless it is a later run's by now.
    async fn write(&mut self, report: &Report) -> Result<(), Error> {
        // Until it is known which comments are ours, the first one would be a new one each time.
        let is_live = matches!(report.status, Status::Queued | Status::Running);
        let knows_itself = self.own.is_some() || self.place.github.knows_itself().await;
        if self.place.github.is_anonymous() && !std::mem::replace(&mut self.warned_of_identity, true) {
            let said = "GitHub doesn't say which account the token belongs to: the comment is written once this run has made something there, which tells";
            self.place.progress.warn("github", said);
        }
        if is_live && !knows_itself {
            return Ok(());
        }
        let there = self.there().await?;
        self.url = there.first().map(|comment| comment.url.clone());
        for comment in &there {
            if self.is_later(comment).await {
                self.gave_way = true;
                return Ok(());
            }
        }
        // A newer run tells of the target what there is to tell. But what this one said must not stay.
        let superseded = is_superseded(report);
        let may_create = self.place.may_create && !superseded;
        if (superseded && self.own.is_none()) || (there.is_empty() && !may_create) {
            return Ok(());
        }
        let body = self.body(report);
        let first = self.own.is_none();
        for comment in &there {
            match self.place.github.update_comment(comment.id, &body).await {
                Ok(updated) => {
                    self.keep(updated);
                    if first {
                        self.remove_others(&there).await;
                    }
                    return Ok(());
                }
                // Deleted meanwhile.
                Err(error) if error.is_not_found() => {}
                // Not ours to edit. What this run has made itself was: another one would be refused as well.
                Err(error) if error.http_status() == Some(403) && first && may_create => {}
                Err(error) => return Err(error),
            }
        }
        if !may_create {
            return Ok(());
        }
        let made = self
            .place
            .github
            .create_comment(self.place.pull_request, &body)
            .await?;
        self.keep(made.clone());
        self.yield_to_an_earlier(made, &there, report).await;
        Ok(())
    }

    fn body(&self, report: &Report) -> String {
        let live = matches!(report.status, Status::Queued | Status::Running);
        let body = markdown::comment(&self.remembering(report), &self.key());
        mark::signed(&body, self.place.run, live)
    }

    fn keep(&mut self, comment: Comment) {
        self.own = Some(comment.id);
        self.url = Some(comment.url);
    }

    /// The comments that this run may write into, the best first. The run's own is asked for by its number, so that
    /// the pages of a long discussion are read once.
    async fn there(&mut self) -> Result<Vec<Comment>, Error> {
        if let Some(own) = self.own {
            let found = self.place.github.comment(own).await?;
            if let Some(found) = found.filter(|comment| self.place.target.keeps(comment)) {
                return Ok(vec![found]);
            }
        }
        let found = self.look().await?;
        if let Some(first) = found.first() {
            self.place.target.learn(first);
        }
        if self.memory.is_none() {
            self.memory = Some(
                found
                    .first()
                    .map_or_else(Memory::default, |c| Memory::read(&c.body)),
            );
            self.before = found.iter().filter_map(mark::signature).collect();
        }
        Ok(found)
    }

    /// All comments that fit: the target's own, oldest first, then nobody's.
    async fn look(&self) -> Result<Vec<Comment>, Error> {
        let Place {
            github,
            pull_request,
            target,
            ..
        } = &self.place;
        let mut found = github
            .comments(*pull_request, &|comment| target.fit(comment).is_some())
            .await?;
        found.sort_by_key(|comment| (target.fit(comment), comment.id));
        Ok(found)
    }

    /// Whether a later run has written the comment: one with a higher number, or one that a person repeated after this
    /// one had begun. GitHub has to confirm it where it can be asked.
    async fn is_later(&self, comment: &Comment) -> bool {
        let (Some(own), Some(other)) = (self.place.run, mark::signature(comment)) else {
            return false;
        };
        // Attempts of one run follow each other: no later one can have written while this one runs.
        let seems_later = if own.number == other.number {
            false
        } else if own.is_repeated() || other.is_repeated() {
            !self.before.contains(&other)
        } else {
            other.number > own.number
        };
        if !seems_later || !own.can_meet(other) {
            return false;
        }
        let answer = self.place.runs.confirm(other, Kind::Preview, REMEMBERED).await;
        matches!(answer, Answer::Newer(_) | Answer::Unknown)
    }

    /// A run that was killed just after it had written a second comment left it behind.
    async fn remove_others(&self, there: &[Comment]) {
        let target = &self.place.target;
        let others = there
            .iter()
            .filter(|c| Some(c.id) > self.own && target.fit(c) == Some(0));
        for other in others {
            // It is no worse for the run than it was.
            let _ = self.place.github.delete_comment(other.id).await;
        }
    }

    /// Another run may have found no comment just as we did, and written one. Whoever looks after writing and sees an
    /// earlier one puts the report there, unless that is a newer run's, and takes its own away. The report is written
    /// by now, so a failure in here is none of the run's.
    async fn yield_to_an_earlier(&mut self, made: Comment, passed_over: &[Comment], report: &Report) {
        let Ok(there) = self.look().await else { return };
        let earlier = there.into_iter().find(|comment| {
            let passed = passed_over.iter().any(|one| one.id == comment.id);
            comment.id < made.id && !passed && self.place.target.fit(comment) == Some(0)
        });
        let Some(earlier) = earlier else { return };
        if self.is_later(&earlier).await {
            self.gave_way = true;
            (self.own, self.url) = (None, Some(earlier.url));
        } else {
            // It was not known to be ours before this run had written one.
            self.memory = Some(Memory::read(&earlier.body));
            let body = self.body(report);
            match self.place.github.update_comment(earlier.id, &body).await {
                Ok(updated) => self.keep(updated),
                Err(_) => return,
            }
        }
        let _ = self.place.github.delete_comment(made.id).await;
    }
}

fn is_superseded(report: &Report) -> bool {
    report.models.iter().any(|m| m.status == Status::Superseded)
}
