import type { Profile } from '../api/client';

/** A button's profile as its form has it. */
export interface Written {
  template: string;
  plugin: string;
  /** Empty: for ever. */
  hours: number | null;
  teardown: boolean;
}

const HOUR = 3600;

/** What the form of a profile begins with. */
export function writtenOf(profile?: Profile): Written {
  return {
    template: profile?.template ?? '',
    plugin: profile?.plugin ?? '',
    hours: profile?.lifetime ? profile.lifetime / HOUR : null,
    teardown: profile?.teardown ?? false,
  };
}

/** A lifetime as the API has it. */
export function seconds(hours: number | null): number | undefined {
  return hours ? Math.round(hours * HOUR) : undefined;
}

export function profileOf(form: Written): Profile {
  return {
    template: form.template,
    plugin: form.plugin.trim() || undefined,
    lifetime: seconds(form.hours),
    teardown: form.teardown,
  };
}
