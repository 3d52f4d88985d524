//! The models at Hugging Face: there, to be had, and not too large for the GPU.

use super::{Check, Group, Unseen};
use crate::{
    config::Model,
    hugging_face::{Error, ModelFiles},
    plan::fit::{self, Fit},
    units::human_bytes,
};

pub fn check(model: &Model, found: &Result<ModelFiles, Error>) -> Check {
    let (group, id) = (Group::Model, model.id.as_str());
    let files = match found {
        Ok(files) => files,
        Err(error @ (Error::Service { .. } | Error::Unreachable { .. } | Error::Setup(_))) => {
            return group.skipped(id, &Unseen(error.to_string()));
        }
        Err(error) => return group.fail(id, error.to_string()),
    };
    if files.gated && model.image.hf_token_secret.is_none() {
        return group
            .fail(
                id,
                "is gated, and no secret with a Hugging Face token is named in `image.hf-token-secret`",
            )
            .link(format!("https://huggingface.co/{id}"));
    }
    let weights = files.weights_bytes();
    match fit::check(model, weights) {
        Fit::TooLarge(why) => return group.fail(id, why),
        Fit::Tight(why) => return group.warn(id, why),
        Fit::Fits | Fit::Unknown => {}
    }
    let commit: String = files.commit.chars().take(12).collect();
    let gated = if files.gated {
        "; it is gated, so the token's account must have accepted its terms"
    } else {
        ""
    };
    group.pass(
        id,
        format!(
            "is there at {commit}, with {} of weights{gated}",
            human_bytes(weights)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::{Verdict, testing},
        hugging_face::ModelFile,
    };

    fn verdict(more: &str, gated: bool, gigabytes: u64) -> Verdict {
        let files = ModelFiles {
            id: "Qwen/Qwen3.5-4B".to_owned(),
            commit: "a".repeat(40),
            files: vec![ModelFile {
                path: "model.safetensors".to_owned(),
                bytes: gigabytes * 1_000_000_000,
            }],
            gated,
            architectures: Vec::new(),
            license: None,
        };
        check(&testing::config(more).models[0], &Ok(files)).verdict
    }

    #[test]
    fn a_model_must_be_to_be_had_and_fit_the_gpu() {
        assert_eq!(verdict("", false, 8), Verdict::Pass);
        assert_eq!(verdict("", true, 8), Verdict::Fail, "gated, and no secret");
        assert_eq!(verdict("image: { hf-token-secret: s }", true, 8), Verdict::Pass);
        assert_eq!(verdict("", false, 21), Verdict::Warn, "tight");
        assert_eq!(verdict("", false, 40), Verdict::Fail);
    }

    #[test]
    fn only_the_hub_s_own_no_is_a_failure() {
        let model = &testing::config("").models[0];
        let missing = Error::NotFound {
            id: model.id.clone(),
            with_token: false,
        };
        assert_eq!(check(model, &Err(missing)).verdict, Verdict::Fail);
        let out = Error::Service {
            id: model.id.clone(),
            status: 503,
            message: String::new(),
        };
        assert_eq!(check(model, &Err(out)).verdict, Verdict::Skipped);
    }
}
