// Options that many subcommands share.
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';

export interface ConfigOption {
  config: string;
}

export interface PrintOptions extends ConfigOption {
  json?: boolean;
}

/** Adds --config. */
export function withConfig(command: Command): Command {
  return command.option('--config <file>', 'the configuration file', 'nmrfs.yaml');
}

/** Adds --config and --json. */
export function withPrint(command: Command): Command {
  return withConfig(command).option('--json', 'print data as JSON');
}

/** A parser for a whole number within limits. */
export function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const upTo = maximum === Number.MAX_SAFE_INTEGER ? 'on' : `to ${maximum}`;
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`It must be a whole number from ${minimum} ${upTo}.`);
    }
    return value;
  };
}

/** A parser for seconds, which may have a fraction. */
export function seconds(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`It must be seconds from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}

/** A list of names, separated by commas; one that is named twice counts once. */
export function nameList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) {
    throw new InvalidArgumentError('It must be names separated by commas, such as data1,data2.');
  }
  return [...new Set(names)];
}
