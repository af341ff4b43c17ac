import type { WebGpuUnavailableError } from './webgpu.js';

/** What to do about WebGPU that is missing or went away, in the order in which to try it. */
export interface Help {
  readonly title: string;
  readonly steps: readonly string[];
}

type Family = 'firefox' | 'safari' | 'chromium';

/** The steps for this browser. `userAgent` decides only about wording, never about features. */
export function helpFor(missing: WebGpuUnavailableError['missing'], userAgent: string): Help {
  if (missing === 'secure-context') {
    return {
      title: 'WebGPU needs a secure page',
      steps: [
        'Open this page under http://127.0.0.1 or http://localhost, as "npm run demo" prints it, or under https.',
      ],
    };
  }
  const family = familyOf(userAgent);
  return missing === 'api'
    ? { title: 'This browser does not offer WebGPU', steps: missingApiSteps[family](userAgent) }
    : { title: 'This browser found no GPU for WebGPU', steps: missingAdapterSteps[family](userAgent) };
}

/** The steps after a loss; `message` is what the browser says of it. */
export function helpAfterLoss(message: string): Help {
  return {
    title: 'The GPU went away',
    steps: [
      `The browser says: ${message}`,
      'Start again, or reload the page: it then asks for the GPU anew.',
      'If it happens again, choose something smaller, and close what else uses the GPU.',
      'If there is no GPU any more, restart the browser and open this page again.',
    ],
  };
}

const anotherBrowser = 'Or open this page in a current Chrome, Edge, Firefox or Safari on another machine.';
const restart = 'Restart the browser and open this page again.';

const missingApiSteps: Record<Family, (userAgent: string) => string[]> = {
  chromium: () => [
    'Update the browser: Chrome and Edge offer WebGPU since version 113, on Android since 121.',
    'If it is current, open chrome://flags/#enable-unsafe-webgpu (edge://flags/… in Edge) and choose "Enabled".',
    restart,
    anotherBrowser,
  ],
  firefox: () => [
    'Update Firefox: it offers WebGPU on Windows since version 141 and on macOS since 145.',
    'Elsewhere, open about:config and set dom.webgpu.enabled to true.',
    restart,
    anotherBrowser,
  ],
  safari: () => [
    'Update to Safari 26 (macOS, iOS, iPadOS or visionOS 26), where WebGPU is on.',
    'In Safari 18, switch on "WebGPU" under Settings → Feature Flags (on iOS: Settings → Apps → Safari → Advanced → Feature Flags).',
    restart,
    anotherBrowser,
  ],
};

const softwareFlags = '--enable-unsafe-webgpu --use-webgpu-adapter=swiftshader';

const missingAdapterSteps: Record<Family, (userAgent: string) => string[]> = {
  chromium: (userAgent) => [
    'Open the settings, look for "Use graphics acceleration when available" and switch it on.',
    'Open chrome://flags/#enable-unsafe-webgpu (edge://flags/… in Edge) and choose "Enabled".',
    ...(isDesktopLinux(userAgent)
      ? ['On Linux, choose "Enabled" for chrome://flags/#enable-vulkan too.']
      : []),
    `${restart} chrome://gpu says what it makes of the GPU.`,
    userAgent.includes('Android')
      ? anotherBrowser
      : `On a machine without a GPU, start the browser with ${softwareFlags}`,
  ],
  firefox: (userAgent) => [
    'Open about:config and set gfx.webgpu.ignore-blocklist to true.',
    isDesktopLinux(userAgent)
      ? 'Install a Vulkan driver; without a GPU, the software one: sudo apt-get install mesa-vulkan-drivers'
      : 'Update the graphics driver.',
    `${restart} about:support says, under Graphics, what it makes of the GPU.`,
  ],
  safari: () => ['Update the system: Safari brings its GPU support with it.', restart, anotherBrowser],
};

function isDesktopLinux(userAgent: string): boolean {
  return userAgent.includes('Linux') && !userAgent.includes('Android');
}

function familyOf(userAgent: string): Family {
  if (userAgent.includes('Firefox/')) {
    return 'firefox';
  }
  return /Chrom|Edg|Android/.test(userAgent) ? 'chromium' : 'safari';
}
