//! What qualifies a level's figures, as plain sentences.

use super::{
    metric::{MAX, Metric},
    tally::Tally,
};

impl Tally {
    pub(super) fn notes(&self) -> Vec<String> {
        if self.requests == self.errors {
            return Vec::new();
        }
        let notes = [
            self.tokens_note(),
            self.length_note(),
            self.rate_note(),
            self.clamped_note(),
        ];
        notes.into_iter().flatten().collect()
    }

    fn tokens_note(&self) -> Option<String> {
        let (tokens, chunks) = (self.tokens, self.chunks);
        if self.without_usage > 0 {
            return Some(format!(
                "{} answers had no usage: their tokens are counted as one a chunk",
                self.without_usage
            ));
        }
        (tokens != chunks).then(|| {
            format!(
                "the server counted {tokens} tokens in {chunks} chunks with text: inter-token latency is the gap \
                 between chunks, tokens/s counts tokens"
            )
        })
    }

    fn length_note(&self) -> Option<String> {
        if self.odd_lengths == 0 {
            return None;
        }
        let (had, asked) = (self.lengths, self.asked.most);
        Some(match (self.asked.is_one(), had.is_one()) {
            (true, true) => format!("answers had {} tokens, {asked} were asked for", had.most),
            (true, false) => format!(
                "answers had {} to {} tokens, {asked} were asked for",
                had.least, had.most
            ),
            (false, _) => format!(
                "{} answers had more or fewer tokens than they were asked for",
                self.odd_lengths
            ),
        })
    }

    fn rate_note(&self) -> Option<String> {
        (self.without_rate > 0).then(|| {
            format!(
                "{} answers came in one chunk or one instant and have no tokens/s",
                self.without_rate
            )
        })
    }

    fn clamped_note(&self) -> Option<String> {
        let metrics = [
            &self.ttft,
            &self.itl,
            &self.tpot,
            &self.e2e,
            &self.queue,
            &self.rate,
        ];
        let count: u64 = metrics.into_iter().map(Metric::clamped).sum();
        (count > 0).then(|| format!("{count} values were over {MAX} and are shown as {MAX}"))
    }
}
