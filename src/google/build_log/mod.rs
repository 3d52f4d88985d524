//! Follows a build: its status decides, its log is read along the way and may be late, cut off or missing.

mod entries;
mod lines;
mod object;
#[cfg(test)]
mod tests;

use std::{convert::Infallible, time::Duration};

use tokio::time::Instant;

use self::{entries::Entries, object::Object};
use super::{
    client::Client,
    cloud_build::{self, Build, LogPlace, Status},
    error::Error,
};

/// Waits until `started` has ended, and passes on its log line by line as it grows.
///
/// The log is read where the build says that it writes it. Nothing about it stops the wait: the two go on side by
/// side, and once the build has ended, the log's last lines are waited for only for a moment. After `deadline` the
/// build goes on, and [`Error::Deadline`] is returned.
pub async fn follow(
    c: &Client,
    project: &str,
    location: &str,
    started: &Build,
    deadline: Duration,
    on_line: &(dyn Fn(&str) + Sync),
    on_status: &(dyn Fn(Status) + Sync),
) -> Result<Build, Error> {
    let mut log = Log::of(project, started);
    let ended = tokio::select! {
        ended = until_over(c, project, location, &started.id, deadline, on_status) => ended?,
        // Dropped in the middle of a read, it has passed on nothing of that yet.
        never = log.read_along(c, on_line) => match never {},
    };
    log.finish(c, on_line).await;
    Ok(ended)
}

async fn until_over(
    c: &Client,
    project: &str,
    location: &str,
    id: &str,
    deadline: Duration,
    on_status: &(dyn Fn(Status) + Sync),
) -> Result<Build, Error> {
    let began = Instant::now();
    let until = c.deadline(deadline);
    let mut last = Status::Unknown;
    let mut ramp = c.pace().ramp();
    let mut seen = Instant::now();
    loop {
        match cloud_build::get(c, project, location, id).await {
            Ok(build) => {
                seen = Instant::now();
                if build.status != last {
                    last = build.status;
                    on_status(last);
                }
                if build.status.is_terminal() {
                    return Ok(build);
                }
            }
            Err(error) if !c.pace().bears(&error, seen.elapsed()) => return Err(error),
            Err(_) => {}
        }
        if Instant::now() >= until {
            return Err(Error::Deadline {
                what: format!("finish the build `{id}`"),
                waited: began.elapsed(),
                last: format!("it is {last:?}"),
                next: "It goes on by itself: run the job again to follow it, or set `build.timeout`"
                    .to_owned(),
            });
        }
        tokio::time::sleep(ramp.next()).await;
    }
}

/// A log that is being read.
struct Log {
    /// `None`: there is none, or it may not be read.
    reader: Option<Reader>,
    /// The reader has been told that reading fails.
    told: bool,
}

enum Reader {
    Object(Object),
    Entries(Entries),
}

impl Log {
    fn of(project: &str, build: &Build) -> Self {
        let reader = match build.log_place() {
            LogPlace::Object { bucket, object } => Some(Reader::Object(Object::new(bucket, object))),
            LogPlace::CloudLogging => Some(Reader::Entries(Entries::new(project, build))),
            LogPlace::Nowhere => None,
        };
        Self { reader, told: false }
    }

    /// Reads until it is dropped.
    async fn read_along(&mut self, c: &Client, on_line: &(dyn Fn(&str) + Sync)) -> Infallible {
        let mut ramp = c.pace().ramp();
        loop {
            let read = self.read(c, on_line).await;
            if read.is_behind() {
                continue;
            }
            tokio::time::sleep(ramp.next()).await;
        }
    }

    /// What the build wrote last. An object is whole when its build is over; entries may come a little later. What
    /// does not come within a moment of the line before it is in the console.
    async fn finish(&mut self, c: &Client, on_line: &(dyn Fn(&str) + Sync)) {
        let moment = c.pace().log_end;
        let mut ramp = c.pace().ramp();
        let mut until = Instant::now() + moment;
        while let Ok(read) = tokio::time::timeout_at(until, self.read(c, on_line)).await {
            if read.whole {
                break;
            }
            if read.new {
                until = Instant::now() + moment;
            }
            if !read.is_behind() {
                tokio::time::sleep(ramp.next()).await;
            }
        }
        if let Some(Reader::Object(object)) = &mut self.reader {
            object.rest().iter().for_each(|line| on_line(line));
        }
    }

    /// Passes on what is new.
    async fn read(&mut self, c: &Client, on_line: &(dyn Fn(&str) + Sync)) -> Read {
        let result = match &mut self.reader {
            None => return Read::NOTHING_TO_COME,
            Some(Reader::Object(object)) => object.read(c, on_line).await,
            Some(Reader::Entries(entries)) => entries.read(c, on_line).await,
        };
        match result {
            Ok(read) => read,
            Err(error) if error.is_user_fixable() => {
                on_line(&format!("(the build's log can't be shown: {error})"));
                self.reader = None;
                Read::NOTHING_TO_COME
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    on_line(&format!("(the build's log is late: {error})"));
                }
                Read::default()
            }
        }
    }
}

/// What came of one read.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    /// Nothing more is to be expected of a build that is over.
    whole: bool,
    /// Something was passed on.
    new: bool,
}

impl Read {
    const NOTHING_TO_COME: Self = Self {
        whole: true,
        new: false,
    };

    /// There is more already.
    fn is_behind(self) -> bool {
        self.new && !self.whole
    }
}
