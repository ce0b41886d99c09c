const compiled = [
  '@jupyterlab',
  '@jupyter',
  '@microsoft',
  'exenv-es6',
  'lib0',
  'y-protocols',
  'yaml',
  'yjs'
];

export default {
  testEnvironment: '<rootDir>/jest.environment.cjs',
  testMatch: ['<rootDir>/src/**/__tests__/*.spec.ts'],
  moduleNameMapper: { '\\.svg$': '<rootDir>/src/__tests__/svg.cjs' },
  transform: {
    '\\.[jt]sx?$|\\.mjs$': [
      'ts-jest',
      {
        tsconfig: {
          allowJs: true,
          esModuleInterop: true,
          isolatedModules: true,
          jsx: 'react',
          target: 'ES2022'
        }
      }
    ]
  },
  // These are published as ES modules, which jest does not read by itself.
  transformIgnorePatterns: [`/node_modules/(?!(${compiled.join('|')})/)`]
};
