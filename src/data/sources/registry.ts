/** The sources that a config can name. A new one is a file beside this one, and a line here. */
import { Registry } from '../../registry.ts';
import type { SourceKind } from '../source.ts';
import { faces } from './faces.ts';
import { fluentEmoji } from './fluentEmoji.ts';
import { folder } from './folder.ts';
import { photo } from './photo.ts';
import { zip } from './zip.ts';

const BUILT_IN = { 'fluent-emoji': fluentEmoji, photo, folder, zip, faces };

/** Where nobody says otherwise. */
export const DEFAULT_SOURCE = 'fluent-emoji' satisfies keyof typeof BUILT_IN;

export const SOURCES = new Registry<SourceKind>('source', BUILT_IN satisfies Record<string, SourceKind>);
