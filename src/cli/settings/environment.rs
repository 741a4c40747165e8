//! Every flag has a variable: `ARCHONCTL_` and its name.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, Command};

use super::name::name_of;

/// Gives a variable to each argument that may have one and has none yet.
pub(in crate::cli) fn apply(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command.mut_args(|arg| with_variable(&name, arg)).mut_subcommands(apply)
}

fn with_variable(command: &str, arg: Arg) -> Arg {
    let Some(name) = name_of(command, &arg) else { return arg };
    let variable = format!("ARCHONCTL_{}", name.to_uppercase().replace('-', "_"));
    let arg = if arg.get_env().is_none() { arg.env(variable) } else { arg };
    // A switch is given or not; a variable needs words for both, and people write 1, true, yes or on.
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    if is_switch { arg.value_parser(BoolishValueParser::new()) } else { arg }
}
