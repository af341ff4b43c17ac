import type { UserConfig } from 'vitepress';

/** A plugin of the vite that VitePress brings along, which is not the one that the demo is built by. */
export type VitePlugin = NonNullable<NonNullable<NonNullable<UserConfig['vite']>['plugins']>[number]>;
