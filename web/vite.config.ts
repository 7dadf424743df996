import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [svelte()],
  build: {
    // scripts/finish.js makes dist of it, once it is known to be small enough.
    outDir: '.build',
    // Browsers of 2022 and later: phones that are still given updates.
    target: ['chrome108', 'firefox108', 'safari16'],
    // `default-src 'self'` lets no data: address through.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      // A daemon that runs beside `npm run dev`.
      '/api': { target: process.env.BRAMBLE_URL ?? 'https://127.0.0.1:7443', secure: false },
    },
  },
});
